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
#include "llm/local_server.h"
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
    return fmt::format("{} passes={} sessions={} endpoint={}", eval::text_hash(to_compact_json(config.root)), flags.num_passes,
                       flags.min_sessions, mask_url_password(flags.endpoint));
}

RunMeasurement make_measurement(const RunKey& run, const EvalOutcome& outcome) {
    RunMeasurement measurement{.concurrency = run.concurrency, .repetition = run.repetition};
    measurement.llm_latency_p95 = outcome.profile.llm_latency_ci.percentiles.p95;
    if (outcome.profile.workflow_runtime) measurement.workflow_runtime_p95 = outcome.profile.workflow_runtime->p95;
    measurement.total_runtime = outcome.summary.total_runtime_s;
    measurement.interrupted = outcome.run.interrupted;
    for (const Evaluation& evaluation : outcome.evaluations) measurement.better[evaluation.name] = evaluation.better;
    for (std::size_t i = 0; i < outcome.run.items.size(); ++i) {
        const eval::ItemResult& item = outcome.run.items[i];
        // Ctrl-C is no failure of what is measured.
        if (outcome.run.interrupted && item.error && item.error->code == ErrorCode::cancelled) continue;
        auto& session = measurement.sessions.emplace_back(forecast::SessionSample{.id = to_text(item.item.id)});
        session.failed = item.error.has_value() || item.usage.no_call_worked();
        for (const auto& [llm, usage] : item.usage.per_llm) {
            measurement.prompt_tokens += usage.prompt_tokens;
            measurement.completion_tokens += usage.completion_tokens;
        }
        if (session.failed) continue;
        session.runtime = item.usage.runtime;
        session.llm_latency = item.usage.llm_latency;
        session.call_latencies = eval::llm_latencies(item.steps);
        for (const Evaluation& evaluation : outcome.evaluations) session.scores[evaluation.name] = evaluation.output.items[i].second.value;
    }
    if (outcome.summary.degraded > 0)
        measurement.findings.push_back(fmt::format(
            "{} of {} model calls failed and {} of {} sessions went on without them.", outcome.summary.failed_calls.size(),
            outcome.summary.failed_calls.size() + outcome.summary.answered_calls, outcome.summary.degraded, outcome.summary.items));
    return measurement;
}

// With as many passes as were asked for, or as the least number of sessions takes; then `passes` says how many.
Result<eval::Dataset> load_items(const EvalSetup& setup, const MeasureFlags& flags, int concurrency, int& passes) {
    auto dataset = eval::load_dataset(setup.dataset, setup.dataset_file,
                                      {.adjust = eval::SizeAdjustment{.concurrency = concurrency, .num_passes = passes}});
    if (!dataset || std::cmp_greater_equal(dataset->items.size(), flags.min_sessions)) return dataset;
    passes = (flags.min_sessions + concurrency - 1) / concurrency;
    return eval::load_dataset(setup.dataset, setup.dataset_file,
                              {.adjust = eval::SizeAdjustment{.concurrency = concurrency, .num_passes = passes}});
}

Result<EvalOutcome> run_leg(const MeasureFlags& flags, const config::Config& config, WorkflowHost& host, const fs::path& folder,
                            int concurrency) {
    EvalRequest request;
    request.folder = folder;
    request.more_files = {kMeasurementName, load::kSamplesCsv, load::kServerMetrics, load::kServerGauges, "machine.png", "machine.svg"};
    request.metadata.config_file = flags.config.file;
    request.metadata.overrides = flags.config.override_list();
    request.metadata.adjust_dataset_size = true;
    request.metadata.num_passes = flags.num_passes;
    if (!flags.endpoint.empty()) request.metadata.endpoint = flags.endpoint;
    auto setup = prepare_eval(config, std::move(request));
    if (!setup) return fail(setup.error());
    setup->max_concurrency = concurrency;
    setup->workflow_alias = fmt::format("wf_concurrency_{}", concurrency);
    if (!setup->profiler) setup->profiler.emplace();
    setup->profiler->base_metrics = true;
    auto dataset = load_items(*setup, flags, concurrency, setup->metadata.num_passes);
    if (!dataset) return fail(dataset.error());
    PLIMSOLL_TRY(prepare_folder(*setup));
    const auto runner =
        flags.endpoint.empty()
            ? host.local_runner()
            : eval::make_remote_runner({.endpoint = flags.endpoint, .timeout = std::chrono::seconds(flags.endpoint_timeout)});
    return run_eval(*setup, std::move(dataset->items), runner, host.pool(), host.sinks());
}

// Model servers that the workflow itself has started are watched by name, so that their work is not taken for the agent's.
std::optional<load::Sampler> make_sampler(const MeasureFlags& flags, WorkflowHost& host) {
    if (!flags.sample) return std::nullopt;
    load::SamplerOptions options = flags.sampling;
    for (const llm::LocalServer* server : host.builder().local_servers().all()) {
        if (const int pid = server->pid(); pid > 0) options.children.push_back(pid);
        if (std::string url = server->metrics_url(); !url.empty()) options.metrics_urls.push_back(std::move(url));
    }
    return std::optional<load::Sampler>(std::in_place, std::move(options));
}

load::SampleLog take_samples(std::optional<load::Sampler>& sampler, double started) {
    if (!sampler) return {};
    load::SampleLog log = sampler->stop();
    log.shift(started);
    if (log.failed_scrapes > 0) log_warning("{} looks at the model server failed: {}", log.failed_scrapes, log.scrape_error);
    return log;
}

// The measurement first: it is what --resume and the answer rest on.
Result<void> save_run(const fs::path& folder, const RunMeasurement& measurement, const load::SampleLog& log) {
    PLIMSOLL_TRY(save_file(folder / kMeasurementName, to_compact_json(forecast::to_json(measurement)) + "\n"));
    if (log.samples.empty()) return {};
    PLIMSOLL_TRY(load::save_samples(folder, log));
    save_pictures(folder, load_machine_picture(folder));
    return {};
}

// The complete runs in a job's folder, in a stable order. One in which no session finished, or with `redo_failed` one failed, is none.
Result<std::vector<RunMeasurement>> load_runs(const fs::path& job, const std::string& conditions, bool redo_failed) {
    if (!fs::is_directory(job)) return fail(ErrorCode::not_found, job.string() + " is no folder of a sizing job");
    std::vector<RunMeasurement> runs;
    int with_failures = 0;
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
            return fail(ErrorCode::config,
                        fmt::format("{} was measured with another config, --num_passes, --min_sessions or --endpoint", file.string()));
        const auto failed = std::ranges::count(run->sessions, true, &forecast::SessionSample::failed);
        const bool made_again = run->interrupted || failed == std::ssize(run->sessions) || (redo_failed && failed > 0);
        if (made_again) continue;
        if (failed > 0) ++with_failures;
        runs.push_back(std::move(*run));
    }
    std::printf(
        "%zu runs are kept%s\n", runs.size(),
        with_failures > 0 ? fmt::format(", {} of them with failed sessions (--redo_failed makes those again)", with_failures).c_str() : "");
    return runs;
}

// Puts the leg of one concurrency, pooled anew from its runs, into `legs`, which are by concurrency.
void update_leg(std::vector<forecast::LegResult>& legs, const std::vector<RunMeasurement>& runs, int concurrency) {
    std::vector<RunMeasurement> own;
    std::ranges::copy_if(runs, std::back_inserter(own), [&](const RunMeasurement& run) { return run.concurrency == concurrency; });
    auto place = std::ranges::lower_bound(legs, concurrency, {}, &forecast::LegResult::concurrency);
    if (place == legs.end() || place->concurrency != concurrency) place = legs.emplace(place);
    *place = forecast::pool_runs(own);
}

// What comes next, said once; nothing when all is measured. `tried` are the runs that are complete or that failed.
class Schedule {
  public:
    explicit Schedule(const MeasureFlags& flags) : flags_(flags) {
        if (!flags.adaptive) pending_ = forecast::order_runs(flags.concurrencies, flags.reps, flags.order, flags.seed);
    }

    std::optional<RunKey> next(const std::vector<forecast::LegResult>& legs, const std::set<RunKey>& tried) {
        for (;;) {
            while (!pending_.empty()) {
                const RunKey run = pending_.front();
                pending_.erase(pending_.begin());
                if (!tried.contains(run)) return run;
            }
            if (!flags_.adaptive || !choose(legs)) return std::nullopt;
        }
    }

  private:
    // False when no further concurrency is wanted.
    bool choose(const std::vector<forecast::LegResult>& legs) {
        std::vector<forecast::PlannedLevel> levels;
        for (const auto& leg : legs) {
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
        auto kept = load_runs(job, conditions, flags.redo_failed);
        if (!kept) return fail(kept.error());
        runs = std::move(*kept);
    }
    std::set<RunKey> tried;
    Measured measured;
    measured.legs = forecast::pool_legs(runs);
    std::ranges::sort(measured.legs, {}, &forecast::LegResult::concurrency);
    for (const auto& run : runs) tried.insert({run.concurrency, run.repetition});
    for (const auto& leg : measured.legs) measured.all_ok = measured.all_ok && leg.failed == 0;

    auto host = WorkflowHost::make(*config, default_io_threads(), job / "logs", flags.endpoint.empty());
    if (!host) return fail(host.error());
    if (!flags.endpoint.empty()) PLIMSOLL_TRY(eval::find_endpoint((*host)->pool(), flags.endpoint));
    Schedule schedule(flags);
    while (const auto run = schedule.next(measured.legs, tried)) {
        tried.insert(*run);
        if (flags.reps > 1)
            std::printf("concurrency %d, run %d of %d\n", run->concurrency, run->repetition, flags.reps);
        else
            std::printf("concurrency %d\n", run->concurrency);
        const fs::path folder = run_folder(job, *run);
        auto sampler = make_sampler(flags, **host);
        const auto outcome = run_leg(flags, *config, **host, folder, run->concurrency);
        if (!outcome) {
            log_error("concurrency {}: {}", run->concurrency, outcome.error().message);
            measured.all_ok = false;
            continue;
        }
        measured.all_ok = measured.all_ok && outcome->ok();
        auto& measurement = runs.emplace_back(make_measurement(*run, *outcome));
        measurement.conditions = conditions;
        const load::SampleLog samples = take_samples(sampler, outcome->run.started);
        for (load::Finding& finding :
             load::diagnose({.samples = samples.samples, .threads = default_io_threads(), .agent_in_process = flags.endpoint.empty()}))
            measurement.findings.push_back(std::move(finding.text));
        PLIMSOLL_TRY(save_run(folder, measurement, samples));
        update_leg(measured.legs, runs, run->concurrency);
        PLIMSOLL_TRY(on_leg(measured.legs));
        if (outcome->run.interrupted) break;
    }
    if (runs.empty()) return fail(ErrorCode::internal, "no concurrency could be measured");
    return measured;
}

}  // namespace plimsoll::cli
