#include "cli/sizing_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/files.h"
#include "base/log.h"
#include "cli/flags.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOutputName = "calc_runner_output.json";

constexpr std::string_view kRunPrefix = "concurrency_", kRepetition = "_run_";

// The number that the whole text is.
std::optional<int> parse_positive(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value <= 0) return std::nullopt;
    return value;
}

std::optional<forecast::RunKey> parse_run_name(std::string_view name) {
    if (!name.starts_with(kRunPrefix)) return std::nullopt;
    name.remove_prefix(kRunPrefix.size());
    const auto split = std::min(name.find(kRepetition), name.size());
    const auto concurrency = parse_positive(name.substr(0, split));
    const auto repetition = split == name.size() ? 1 : parse_positive(name.substr(split + kRepetition.size()));
    if (!concurrency || !repetition) return std::nullopt;
    return forecast::RunKey{*concurrency, *repetition};
}

}  // namespace

fs::path run_folder(const fs::path& job, const forecast::RunKey& run) {
    // The first as NAT's alias for a leg would have it.
    if (run.repetition == 1) return job / fmt::format("{}{}", kRunPrefix, run.concurrency);
    return job / fmt::format("{}{}{}{}", kRunPrefix, run.concurrency, kRepetition, run.repetition);
}

std::vector<RunFolder> list_runs(const fs::path& job) {
    std::vector<RunFolder> runs;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(job, ignored))
        if (const auto run = parse_run_name(entry.path().filename().string())) runs.push_back({*run, entry.path()});
    std::ranges::sort(runs, {}, &RunFolder::run);
    return runs;
}

void add_target_flags(CLI::App& command, TargetFlags& flags) {
    command
        .add_option("--target_llm_latency,--target-llm-latency", flags.targets.llm_latency, "wished p95 of a model call, seconds; 0 = none")
        ->check(at_least_zero());
    command
        .add_option("--target_workflow_runtime,--target-workflow-runtime", flags.targets.workflow_runtime,
                    "wished p95 of a session, seconds; 0 = none")
        ->check(at_least_zero());
    command.add_option("--target_users,--target-users", flags.targets.users, "users at once to size for")->check(at_least_zero());
    command.add_option("--test_gpu_count,--test-gpu-count", flags.gpus, "GPUs (model servers) that the measurement used")
        ->check(at_least_zero());
    const auto take_slo = [&flags](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            auto rule = forecast::parse_slo_rule(text);
            if (!rule) throw CLI::ValidationError("--slo", rule.error().message);
            flags.slo.push_back(std::move(*rule));
        }
    };
    command.add_option_function<std::vector<std::string>>(
        "--slo", take_slo,
        "what is promised, may be repeated: 'p95 workflow < 120s', 'p99 llm < 2s', 'error_rate < 1%'; goodput counts the "
        "sessions within it");
    command.add_flag("--nat_compat,--nat-compat", flags.nat_compat, "NAT's outlier and fit rules instead of the repaired ones");
}

Result<fs::path> make_job_folder(const fs::path& parent, std::int64_t epoch_seconds) {
    constexpr int kMostInASecond = 1000;
    PLIMSOLL_TRY(make_folder(parent));
    for (int number = 1; number <= kMostInASecond; ++number) {
        fs::path job = parent / (fmt::format("job_{}", epoch_seconds) + (number > 1 ? fmt::format("_{}", number) : ""));
        std::error_code error;
        if (fs::create_directory(job, error)) return job;  // false when it is there: somebody else's
        if (error) return fail(errno_error("making " + job.string(), error.value()));
    }
    return fail(ErrorCode::io, fmt::format("{} has {} jobs of this second", parent.string(), kMostInASecond));
}

std::vector<fs::path> list_jobs(const fs::path& dir) {
    std::vector<std::pair<fs::file_time_type, fs::path>> jobs;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir / "online", ignored)) {
        const fs::path output = entry.path() / kOutputName;
        // A job that was killed in its first run has no output.
        if (entry.is_directory()) jobs.emplace_back(fs::last_write_time(fs::exists(output) ? output : entry.path(), ignored), entry.path());
    }
    std::ranges::sort(jobs, std::greater<>());
    std::vector<fs::path> out;
    for (auto& [time, job] : jobs) out.push_back(std::move(job));
    return out;
}

Result<OnlineLegs> load_online_legs(const fs::path& dir, bool join) {
    OnlineLegs out;
    std::map<int, forecast::LegResult> legs;
    for (const fs::path& job : list_jobs(dir)) {
        const fs::path file = job / kOutputName;
        if (!fs::exists(file)) continue;
        const auto text = load_file(file);
        const auto parsed = text ? parse_json(*text) : fail(text.error());
        auto read = parsed ? forecast::parse_calc_output(*parsed) : fail(parsed.error());
        if (!read) {
            log_warning("{}: {}", file.string(), read.error().message);
            continue;
        }
        if (legs.empty()) {
            out.asked = forecast::parse_asked_for(*parsed);
            out.job = job;
        }
        for (auto& leg : *read) legs.try_emplace(leg.concurrency, std::move(leg));
        if (!join && !legs.empty()) break;
    }
    if (legs.empty()) return fail(ErrorCode::not_found, (dir / "online").string() + " holds no measurements");
    for (auto& [concurrency, leg] : legs) out.legs.push_back(std::move(leg));
    return out;
}

forecast::SizingResult compute(const TargetFlags& flags, std::vector<forecast::LegResult> legs) {
    return forecast::compute_sizing(
        {std::move(legs), flags.targets, flags.gpus, flags.nat_compat ? forecast::FitRules::nat : forecast::FitRules::plimsoll, flags.slo});
}

Result<void> save_sizing(const fs::path& job, const forecast::SizingResult& result) {
    return save_file(job / kOutputName, to_pretty_json(forecast::to_json(result)) + "\n");
}

}  // namespace plimsoll::cli
