#include "cli/sizing_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/files.h"
#include "base/log.h"
#include "cli/flags.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOutputName = "calc_runner_output.json";

std::optional<report::FitView> make_fit_view(const std::optional<forecast::LinearFit>& fit) {
    if (!fit) return std::nullopt;
    return report::FitView{fit->slope, fit->intercept, fit->r_squared, fit->outliers_removed};
}

void save_plot(const fs::path& file, const Result<std::string>& picture) {
    if (!picture) return log_warning("{}: {}", file.filename().string(), picture.error().message);
    if (const auto saved = save_file(file, *picture); !saved) log_warning("{}", saved.error().message);
}

}  // namespace

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
        const fs::path job = parent / (fmt::format("job_{}", epoch_seconds) + (number > 1 ? fmt::format("_{}", number) : ""));
        std::error_code error;
        if (fs::create_directory(job, error)) return job;  // false when it is there: somebody else's
        if (error) return fail(errno_error("making " + job.string(), error.value()));
    }
    return fail(ErrorCode::io, fmt::format("{} has {} jobs of this second", parent.string(), kMostInASecond));
}

Result<OnlineLegs> load_online_legs(const fs::path& dir, bool join) {
    std::vector<std::pair<fs::file_time_type, fs::path>> jobs;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir / "online", error)) {
        const fs::path file = entry.path() / kOutputName;
        if (fs::exists(file)) jobs.emplace_back(fs::last_write_time(file), file);
    }
    std::ranges::sort(jobs, std::greater<>());
    OnlineLegs out;
    std::map<int, forecast::LegResult> legs;
    for (const auto& [time, file] : jobs) {
        const auto text = load_file(file);
        const auto parsed = text ? parse_json(*text) : fail(text.error());
        auto read = parsed ? forecast::parse_calc_output(*parsed) : fail(parsed.error());
        if (!read) {
            log_warning("{}: {}", file.string(), read.error().message);
            continue;
        }
        if (legs.empty()) out.asked = forecast::parse_asked_for(*parsed);
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

std::vector<report::MetricView> make_metric_views(const forecast::SizingResult& result) {
    report::MetricView latency{
        .name = "p95 LLM Latency (s)", .fit = make_fit_view(result.llm_latency.fit), .target = result.targets.llm_latency};
    report::MetricView runtime{
        .name = "p95 Workflow Runtime (s)", .fit = make_fit_view(result.workflow_runtime.fit), .target = result.targets.workflow_runtime};
    for (const forecast::LegSizing& leg : result.legs) {
        if (!leg.usable) continue;
        const auto concurrency = static_cast<double>(leg.leg.concurrency);
        latency.points.push_back({concurrency, leg.leg.llm_latency_p95});
        runtime.points.push_back({concurrency, leg.leg.workflow_runtime_p95});
    }
    for (auto* metric : {&latency, &runtime}) std::ranges::sort(metric->points, {}, &report::Point::x);
    return {std::move(latency), std::move(runtime)};
}

Result<void> save_sizing(const fs::path& job, const forecast::SizingResult& result) {
    PLIMSOLL_TRY(save_file(job / kOutputName, to_pretty_json(forecast::to_json(result)) + "\n"));
    const auto metrics = make_metric_views(result);
    save_plot(job / "concurrency_vs_p95_simple.png", report::draw_simple_png(metrics));
    if (result.llm_latency.fit || result.workflow_runtime.fit)
        save_plot(job / "concurrency_vs_p95_analysis.png", report::draw_analysis_png(metrics));
    return {};
}

}  // namespace plimsoll::cli
