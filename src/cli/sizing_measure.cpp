#include "cli/sizing_measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "cli/eval_run.h"
#include "cli/pictures.h"
#include "cli/sizing_job.h"
#include "cli/workflow_host.h"
#include "eval/remote.h"
#include "load/diagnosis.h"
#include "load/run_files.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using forecast::RunKey;
using forecast::RunMeasurement;

constexpr const char* kMeasurementName = "measurement.json";

// Two runs with equal ones measured the same thing.
std::string conditions_of(const MeasureFlags& flags, const config::Config& config) {
    return fmt::format("{} passes={} endpoint={}", eval::text_hash(to_compact_json(config.root)), flags.num_passes, flags.endpoint);
}

RunMeasurement make_measurement(const RunKey& run, const EvalOutcome& outcome) {
    RunMeasurement measurement{.concurrency = run.concurrency, .repetition = run.repetition};
    measurement.llm_latency_p95 = outcome.profile.llm_latency_ci.percentiles.p95;
    if (outcome.profile.workflow_runtime) measurement.workflow_runtime_p95 = outcome.profile.workflow_runtime->p95;
    measurement.total_runtime = outcome.summary.total_runtime_s;
    measurement.interrupted = outcome.run.interrupted;
    for (const eval::ItemResult& item : outcome.run.items) {
        auto& session = measurement.sessions.emplace_back(forecast::SessionSample{.id = to_text(item.item.id)});
        session.failed = item.error.has_value();
        for (const auto& [llm, usage] : item.usage.per_llm) {
            measurement.prompt_tokens += usage.prompt_tokens;
            measurement.completion_tokens += usage.completion_tokens;
        }
        if (session.failed) continue;
        session.runtime = item.usage.runtime;
        session.llm_latency = item.usage.llm_latency;
        session.call_latencies = eval::llm_latencies(item.steps);
    }
    for (const Evaluation& evaluation : outcome.evaluations) {
        measurement.better[evaluation.name] = evaluation.better;
        for (std::size_t i = 0; i < measurement.sessions.size(); ++i)
            if (auto& session = measurement.sessions[i]; !session.failed)
                session.scores[evaluation.name] = evaluation.output.items[i].second.value;
    }
    return measurement;
}

Result<EvalOutcome> run_leg(const MeasureFlags& flags, const config::Config& config, WorkflowHost& host, const fs::path& folder,
                            int concurrency) {
    EvalRequest request;
    request.folder = folder;
    request.metadata.config_file = flags.config.file;
    request.metadata.adjust_dataset_size = true;
    request.metadata.num_passes = flags.num_passes;
    if (!flags.endpoint.empty()) request.metadata.endpoint = flags.endpoint;
    auto setup = prepare_eval(config, std::move(request));
    if (!setup) return fail(setup.error());
    setup->max_concurrency = concurrency;
    if (!setup->profiler) setup->profiler.emplace();
    setup->profiler->base_metrics = true;
    auto dataset = eval::load_dataset(setup->dataset, setup->dataset_file,
                                      {.adjust = eval::SizeAdjustment{.concurrency = concurrency, .num_passes = flags.num_passes}});
    if (!dataset) return fail(dataset.error());
    PLIMSOLL_TRY(prepare_folder(*setup));
    const auto runner =
        flags.endpoint.empty()
            ? host.local_runner()
            : eval::make_remote_runner({.endpoint = flags.endpoint, .timeout = std::chrono::seconds(flags.endpoint_timeout)});
    return run_eval(*setup, std::move(dataset->items), runner, host.pool(), host.sinks());
}

std::optional<load::Sampler> make_sampler(const MeasureFlags& flags) {
    if (!flags.sample) return std::nullopt;
    return std::optional<load::Sampler>(std::in_place, flags.sampling);
}

// What the looks at the machine show goes into the run's folder, and what held the run back into the measurement.
Result<void> save_samples(load::Sampler& sampler, const EvalOutcome& outcome, const fs::path& folder, RunMeasurement& measurement) {
    load::SampleLog log = sampler.stop();
    log.shift(outcome.run.started);
    if (log.failed_scrapes > 0) log_warning("{} looks at the model server failed: {}", log.failed_scrapes, log.scrape_error);
    for (load::Finding& finding : load::diagnose({.samples = log.samples, .threads = default_io_threads()}))
        measurement.findings.push_back(std::move(finding.text));
    if (log.samples.empty()) return {};
    PLIMSOLL_TRY(load::save_samples(folder, log));
    save_pictures(folder, load_machine_picture(folder));
    return {};
}

// The complete runs in a job's folder, in a stable order.
Result<std::vector<RunMeasurement>> load_runs(const fs::path& job, const std::string& conditions) {
    if (!fs::is_directory(job)) return fail(ErrorCode::not_found, job.string() + " is no folder of a sizing job");
    std::vector<RunMeasurement> runs;
    for (const RunFolder& folder : list_runs(job)) {
        const fs::path file = folder.path / kMeasurementName;
        if (!fs::exists(file)) continue;
        const auto text = load_file(file);
        const auto parsed = text ? parse_json(*text) : fail(text.error());
        auto run = parsed ? forecast::parse_run_measurement(*parsed) : fail(parsed.error());
        if (!run) {
            log_warning("{}: {}; the run is made again", file.string(), run.error().message);
            continue;
        }
        if (run->conditions != conditions)
            return fail(ErrorCode::config, fmt::format("{} was measured with another config, --num_passes or --endpoint", file.string()));
        if (!run->interrupted) runs.push_back(std::move(*run));
    }
    return runs;
}

std::vector<forecast::LegResult> sorted_legs(const std::vector<RunMeasurement>& runs) {
    auto legs = forecast::pool_legs(runs);
    std::ranges::sort(legs, {}, &forecast::LegResult::concurrency);
    return legs;
}

// What comes next, said once; nothing when all is measured. `tried` are the runs that are complete or that failed.
class Schedule {
  public:
    explicit Schedule(const MeasureFlags& flags) : flags_(flags) {
        if (!flags.adaptive) pending_ = forecast::order_runs(flags.concurrencies, flags.reps, flags.order, flags.seed);
    }

    std::optional<RunKey> next(const std::vector<RunMeasurement>& runs, const std::set<RunKey>& tried) {
        for (;;) {
            while (!pending_.empty()) {
                const RunKey run = pending_.front();
                pending_.erase(pending_.begin());
                if (!tried.contains(run)) return run;
            }
            if (!flags_.adaptive || !choose(runs)) return std::nullopt;
        }
    }

  private:
    // False when no further concurrency is wanted.
    bool choose(const std::vector<RunMeasurement>& runs) {
        std::vector<forecast::PlannedLevel> levels;
        for (const auto& leg : forecast::pool_legs(runs)) {
            forecast::PlannedLevel level{.concurrency = leg.concurrency, .throughput = leg.sessions_per_second()};
            if (!flags_.slo.empty()) level.keeps = forecast::evaluate_slo(flags_.slo, leg).kept;
            levels.push_back(level);
        }
        const auto [lowest, highest] = std::ranges::minmax(flags_.concurrencies);
        const auto level = forecast::choose_level(levels, lowest, highest);
        // A level that was chosen before and could not be measured ends the search.
        if (!level || !chosen_.insert(level->concurrency).second) return false;
        std::printf("next: %d, %s\n", level->concurrency, level->why.c_str());
        pending_ = forecast::order_runs({level->concurrency}, flags_.reps, forecast::RunOrder::given, 0);
        return true;
    }

    const MeasureFlags& flags_;
    std::vector<RunKey> pending_;
    std::set<int> chosen_;
};

}  // namespace

Result<Measured> measure_legs(const MeasureFlags& flags, const fs::path& job,
                              const std::function<Result<void>(const std::vector<forecast::LegResult>&)>& on_leg) {
    const auto config = load_config(flags.config);
    if (!config) return fail(config.error());
    const std::string conditions = conditions_of(flags, *config);
    std::vector<RunMeasurement> runs;
    if (flags.resume) {
        auto kept = load_runs(job, conditions);
        if (!kept) return fail(kept.error());
        runs = std::move(*kept);
        std::printf("%zu runs are kept\n", runs.size());
    }
    std::set<RunKey> tried;
    for (const auto& run : runs) tried.insert({run.concurrency, run.repetition});
    Measured measured;
    for (const auto& leg : forecast::pool_legs(runs)) measured.all_ok = measured.all_ok && leg.failed == 0;

    auto host = WorkflowHost::make(*config, default_io_threads(), job / "logs", flags.endpoint.empty());
    if (!host) return fail(host.error());
    Schedule schedule(flags);
    while (const auto run = schedule.next(runs, tried)) {
        tried.insert(*run);
        if (flags.reps > 1)
            std::printf("concurrency %d, run %d of %d\n", run->concurrency, run->repetition, flags.reps);
        else
            std::printf("concurrency %d\n", run->concurrency);
        const fs::path folder = run_folder(job, *run);
        auto sampler = make_sampler(flags);
        const auto outcome = run_leg(flags, *config, **host, folder, run->concurrency);
        if (!outcome) {
            log_error("concurrency {}: {}", run->concurrency, outcome.error().message);
            measured.all_ok = false;
            continue;
        }
        measured.all_ok = measured.all_ok && outcome->ok();
        auto& measurement = runs.emplace_back(make_measurement(*run, *outcome));
        measurement.conditions = conditions;
        if (sampler) PLIMSOLL_TRY(save_samples(*sampler, *outcome, folder, measurement));
        PLIMSOLL_TRY(save_file(folder / kMeasurementName, to_compact_json(forecast::to_json(measurement)) + "\n"));
        PLIMSOLL_TRY(on_leg(sorted_legs(runs)));
        if (outcome->run.interrupted) break;
    }
    if (runs.empty()) return fail(ErrorCode::internal, "no concurrency could be measured");
    measured.legs = sorted_legs(runs);
    return measured;
}

}  // namespace plimsoll::cli
