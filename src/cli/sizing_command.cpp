#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/pictures.h"
#include "cli/sizing_job.h"
#include "cli/sizing_measure.h"
#include "eval/dataset.h"
#include "forecast/sizing_table.h"
#include "report/sizing_plots.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

struct SizingFlags {
    MeasureFlags measure;
    TargetFlags targets;
    std::string output_dir;
    std::string concurrencies = "1,2,3,4,5,6,7,8,9,10";
    std::string order = "given";
    std::string resume;  // a job's folder
    bool offline = false;
    bool append = false;
    bool allow_failures = false;
};

constexpr int kMaxReps = 100;
constexpr int kMaxSessions = 1'000'000;
constexpr double kMinSampleSeconds = 0.01;  // looking more often would be the load that it sees

// Where a config is looked for when none is named.
constexpr const char* kDefaultConfigs[] = {"plimsoll.yml", "configs/eval_config.yml"};

Result<std::vector<int>> parse_concurrencies(const std::string& text) {
    std::vector<int> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        std::string part = text.substr(at, comma - at);
        part.erase(0, part.find_first_not_of(' '));
        part.erase(part.find_last_not_of(' ') + 1);
        int value = 0;
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
        if (error != std::errc() || end != part.data() + part.size() || value <= 0)
            return fail(ErrorCode::invalid_argument, fmt::format("--concurrencies: \"{}\" is no whole number above 0", part));
        out.push_back(value);
        at = comma + 1;
    }
    if (out.size() < 2) return fail(ErrorCode::invalid_argument, "--concurrencies: a line needs at least two");
    if (std::set(out.begin(), out.end()).size() < out.size())
        return fail(ErrorCode::invalid_argument, "--concurrencies: one stands there twice");
    return out;
}

// What NAT refuses, refused the same way but with exit code 2.
Result<void> check_flags(const SizingFlags& flags) {
    if (!flags.offline) return {};
    const forecast::Targets& targets = flags.targets.targets;
    const int gpus = flags.targets.gpus;
    if (flags.output_dir.empty()) return fail(ErrorCode::invalid_argument, "--offline_mode needs --calc_output_dir");
    if (targets.llm_latency <= 0 && targets.workflow_runtime <= 0)
        return fail(ErrorCode::invalid_argument, "--offline_mode needs --target_llm_latency or --target_workflow_runtime");
    if (targets.users <= 0 || gpus <= 0)
        return fail(ErrorCode::invalid_argument, "--offline_mode needs --target_users and --test_gpu_count");
    return {};
}

Result<fs::path> make_job(const SizingFlags& flags, const std::string& mode) {
    const fs::path dir = flags.output_dir.empty() ? fs::path(".plimsoll/sizing") : fs::path(flags.output_dir);
    return make_job_folder(dir / mode, static_cast<std::int64_t>(system_clock()()));
}

// The numbers and the pictures of an answer that is complete, and its text.
Result<void> give_answer(const fs::path& job, const forecast::SizingResult& result) {
    PLIMSOLL_TRY(save_sizing(job, result));
    save_pictures(job, report::make_sizing_pictures(result));
    std::fputs(forecast::sizing_table(result).c_str(), stdout);
    const std::string statistics = forecast::statistics_table(result);
    if (!statistics.empty()) std::printf("\n%s", statistics.c_str());
    const std::string notes = forecast::sizing_notes(result);
    if (!notes.empty()) std::printf("\n%s", notes.c_str());
    return {};
}

// What was measured is saved after each run, so that a failing one loses nothing.
Result<int> measure(const SizingFlags& flags) {
    const auto made = flags.resume.empty() ? make_job(flags, "online") : Result<fs::path>(flags.resume);
    if (!made) return fail(made.error());
    const fs::path& job = *made;
    const auto measured = measure_legs(
        flags.measure, job, [&](const std::vector<forecast::LegResult>& legs) { return save_sizing(job, compute(flags.targets, legs)); });
    const auto say_how_to_go_on = [&] {
        if (!list_runs(job).empty()) std::printf("What is complete is kept; the rest: the same command with --resume %s\n", job.c_str());
    };
    if (!measured) {
        say_how_to_go_on();
        std::error_code not_empty;
        if (flags.resume.empty()) fs::remove(job, not_empty);
        return fail(measured.error());
    }
    const auto result = compute(flags.targets, measured->legs);
    PLIMSOLL_TRY(give_answer(job, result));
    std::printf("\n%s\n", job.c_str());
    constexpr int kInterrupted = 130;
    if (std::ranges::any_of(measured->legs, &forecast::LegResult::interrupted)) {
        say_how_to_go_on();
        return kInterrupted;
    }
    return measured->all_ok || flags.allow_failures ? 0 : 1;
}

Result<int> recompute(const SizingFlags& flags) {
    auto online = load_online_legs(flags.output_dir, flags.append);
    if (!online) return fail(online.error());
    const forecast::SizingResult result = compute(flags.targets, std::move(online->legs));
    const auto job = make_job(flags, "offline");
    if (!job) return fail(job.error());
    PLIMSOLL_TRY(give_answer(*job, result));
    return 0;
}

// The flags that need reading, read. Errors: invalid_argument.
Result<void> complete_flags(SizingFlags& flags) {
    auto concurrencies = parse_concurrencies(flags.concurrencies);
    if (!concurrencies) return fail(concurrencies.error());
    PLIMSOLL_TRY(check_flags(flags));
    MeasureFlags& measure = flags.measure;
    measure.concurrencies = std::move(*concurrencies);
    const std::int64_t sessions = std::max(std::int64_t{std::ranges::max(measure.concurrencies)} * std::max(measure.num_passes, 1),
                                           std::int64_t{measure.min_sessions});
    if (sessions > static_cast<std::int64_t>(eval::kMaxRepeatedItems))
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} sessions at the highest concurrency; there may be {} at most", sessions, eval::kMaxRepeatedItems));
    measure.order = flags.order == "random" ? forecast::RunOrder::random : forecast::RunOrder::given;
    measure.resume = !flags.resume.empty();
    measure.slo = flags.targets.slo;
    measure.sample = measure.sampling.every_s > 0;
    if (measure.sample && measure.sampling.every_s < kMinSampleSeconds)
        return fail(ErrorCode::invalid_argument, fmt::format("--sample_every: 0 or at least {}", kMinSampleSeconds));
    for (const int pid : measure.sampling.pids)
        if (!fs::exists(measure.sampling.proc / std::to_string(pid)))
            return fail(ErrorCode::invalid_argument, fmt::format("--pid: there is no process {}", pid));
    if (!measure.config.file.empty() || flags.offline) return {};
    for (const char* name : kDefaultConfigs)
        if (measure.config.file.empty() && fs::exists(name)) measure.config.file = name;
    if (measure.config.file.empty())
        return fail(ErrorCode::invalid_argument,
                    fmt::format("no --config_file given, and there is no {}", fmt::join(kDefaultConfigs, " or ")));
    std::printf("using %s\n", measure.config.file.c_str());
    return {};
}

int run_command(SizingFlags flags) {
    if (const auto complete = complete_flags(flags); !complete) {
        log_error("{}", complete.error().message);
        return kUsageError;
    }
    const auto done = flags.offline ? recompute(flags) : measure(flags);
    if (!done) {
        log_error("{}", done.error().message);
        return 1;
    }
    return *done;
}

}  // namespace

void add_sizing_command(CLI::App& app, Run& run) {
    auto* sizing = app.add_subcommand("sizing", "how many users, how many GPUs");
    sizing->require_subcommand(1);
    auto* command = sizing->add_subcommand("calc", "measures the workflow at several concurrencies and sizes it for the target users");
    const auto flags = std::make_shared<SizingFlags>();
    MeasureFlags& measure = flags->measure;
    add_config_flags(*command, measure.config, false);
    add_target_flags(*command, flags->targets);
    command->add_option("--calc_output_dir,--calc-output-dir", flags->output_dir,
                        "where measurements and answers go; .plimsoll/sizing when not given");
    command->add_option("--concurrencies", flags->concurrencies, "comma-separated sessions at once, measured in this order")
        ->capture_default_str();
    command
        ->add_option("--num_passes,--num-passes", measure.num_passes,
                     "sessions at each concurrency as a multiple of it; 0 = what the dataset fills")
        ->check(at_least_zero());
    command
        ->add_option("--min_sessions,--min-sessions", measure.min_sessions,
                     "sessions of every run at least: a p95 wants 59, a forecast 10 beyond the concurrency")
        ->check(CLI::Range(0, kMaxSessions));
    command->add_option("--reps", measure.reps, "runs at each concurrency, pooled for the answer")
        ->capture_default_str()
        ->check(CLI::Range(1, kMaxReps));
    auto* adaptive = command->add_flag("--adaptive", measure.adaptive,
                                       "choose concurrencies between the smallest and largest of --concurrencies: doubling until the --slo "
                                       "breaks (without one: until throughput stops growing), then closing in");
    command->add_option("--order", flags->order, "of the runs: given (every concurrency once, then again), or random, against drift")
        ->capture_default_str()
        ->check(CLI::IsMember({"given", "random"}))
        ->excludes(adaptive);
    command->add_option("--seed", measure.seed, "of a random order")->capture_default_str();
    auto* offline = command->add_flag("--offline_mode,--offline-mode", flags->offline, "answer again from what was measured");
    auto* resume =
        command->add_option("--resume", flags->resume, "go on in this job folder: its complete runs are kept")->excludes(offline);
    command->add_flag("--redo_failed,--redo-failed", measure.redo_failed, "make runs with a failed session again too")->needs(resume);
    command->add_flag("--append_calc_outputs,--append-calc-outputs", flags->append,
                      "offline: join all earlier measurements, not only the newest run's");
    add_endpoint_flags(*command, measure.endpoint, measure.endpoint_timeout)->excludes(offline);
    load::SamplerOptions& sampling = measure.sampling;
    command->add_option("--sample_every,--sample-every", sampling.every_s, "seconds between two looks at the machine; 0 = none")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 3600.0));
    command->add_option(
        "--metrics_url,--metrics-url,--server_metrics,--server-metrics", sampling.metrics_urls,
        "Prometheus metrics of a model server, a replica of it or a DCGM exporter, looked at during each run; may be repeated");
    command->add_option("--pid", sampling.pids, "watch this process and its children too, may be repeated");
    command->add_option("--proc_root,--proc-root", sampling.proc, "where /proc is mounted")->capture_default_str();
    command->add_option("--cgroup_root,--cgroup-root", sampling.cgroups, "where the control groups are mounted")->capture_default_str();
    command->add_flag("--allow_failures,--allow-failures", flags->allow_failures,
                      "exit with 0 when sessions failed, or no model call worked");
    command->callback([&run, flags] { run = [flags] { return run_command(*flags); }; });
    command->footer(
        "Exit codes: 0 done, 1 failed or a session failed, 2 wrong usage, 130 interrupted (what was measured is kept, see --resume).");
    add_forecast_command(*sizing, run);
}

}  // namespace plimsoll::cli
