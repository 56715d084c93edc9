#include "cli/eval_run.h"

#include <fmt/format.h>

#include <csignal>

#include "base/files.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/catalogue.h"
#include "cli/profile_files.h"
#include "cli/profile_view.h"
#include "eval/dynamo_fetch.h"
#include "eval/folder_lock.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDefaultOutput = "./.tmp/nat/examples/default/";
// A folder with one of these holds a run of ours or NAT's, so cleaning it is what the user expects.
constexpr std::string_view kRunMarkers[] = {"events.jsonl", "config_metadata.json", "workflow_output.json",
                                            "all_requests_profiler_traces.json"};

constexpr std::string_view kLogFolder = "logs";

std::atomic<eval::Stop> stop_requested = eval::Stop::no;

extern "C" void note_interrupt(int) {
    stop_requested = stop_requested == eval::Stop::no ? eval::Stop::finish_running : eval::Stop::abort_running;
}

// Ctrl-C asks the run to stop for as long as this lives.
class InterruptScope {
  public:
    InterruptScope() {
        stop_requested = eval::Stop::no;
        previous_ = std::signal(SIGINT, note_interrupt);
    }
    ~InterruptScope() { std::signal(SIGINT, previous_); }
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

  private:
    void (*previous_)(int);
};

const json::value* find_general(const config::Config& config, std::string_view key) {
    const auto* value = config.eval_general.if_contains(key);
    return value && !value->is_null() ? value : nullptr;
}

fs::path output_folder(const config::Config& config) {
    const json::value* output = find_general(config, "output");
    fs::path dir = kDefaultOutput;
    if (const auto given = get_string(json::value(config.eval_general), "output_dir")) dir = *given;
    if (output)
        if (const auto given = get_string(*output, "dir")) dir = *given;
    const json::value* jobs = output ? find(*output, "job_management") : nullptr;
    const json::value* append = jobs ? find(*jobs, "append_job_id_to_output_dir") : nullptr;
    if (append && append->is_bool() && append->get_bool()) dir = dir / "jobs" / ("job_" + Random::from_entropy().uuid());
    return dir;
}

Result<eval::StepFilter> output_filter(const config::Config& config) {
    const json::value* output = find_general(config, "output");
    const json::value* names = output ? find(*output, "workflow_output_step_filter") : nullptr;
    return eval::parse_step_filter(names ? *names : json::value());
}

void warn(const Result<void>& result) {
    if (!result) log_warning("{}", result.error().message);
}

Result<void> save_run_report(const EvalSetup& setup, const profile::ProfileInput& input, EvalOutcome& outcome) {
    report::ReportView view{.title = "Plimsoll report", .headline = "One agent, profiled"};
    add_profiled_run(setup.folder.string(), input, std::move(outcome.profile), nullptr, view);
    for (const profile::ChosenSession& chosen : view.profile->insights.chosen_sessions) {
        const eval::ItemResult& item = outcome.run.items[chosen.session];
        view.session_texts[chosen.session] = {to_text(item.item.question), to_text(item.output)};
    }
    const auto saved = save_report(view, setup.folder / "report.html");
    outcome.profile = std::move(*view.profile);
    return saved;
}

// The steps of a long run are its memory: the profiler borrows them.
void profile_run(const EvalSetup& setup, EvalOutcome& outcome) {
    profile::ProfileInput input{
        .sessions = {}, .skipped = {}, .prices = setup.prices, .session = setup.session, .fetch_dynamo = eval::fetch_dynamo_metrics};
    std::vector<eval::ItemResult>& items = outcome.run.items;
    for (eval::ItemResult& item : items) {
        input.sessions.push_back({static_cast<std::int64_t>(input.sessions.size()), std::move(item.steps)});
        if (item.intended_start > 0) event::note_queueing(input.sessions.back(), item.start - item.intended_start);
    }
    SavedProfile profile = save_profile(input, *setup.profiler, setup.folder);
    warn(profile.saved);
    outcome.profile = std::move(profile.result);
    warn(save_run_report(setup, input, outcome));
    for (std::size_t i = 0; i < items.size(); ++i) items[i].steps = std::move(input.sessions[i].steps);
}

void save_evaluations(const EvalSetup& setup, EvalOutcome& outcome) {
    for (const auto& [name, component] : setup.config->evaluators) {
        const auto evaluator = eval::make_evaluator(component.type, component.settings);
        if (!evaluator) {
            log_warning("evaluator {}: {}", name, evaluator.error().message);
            continue;
        }
        eval::EvaluatorOutput output = eval::evaluate(*evaluator, outcome.run.items);
        warn(eval::save_evaluator_output(setup.folder, name, output));
        outcome.summary.evaluators.push_back({name, output.average, name + "_output.json"});
        outcome.evaluations.push_back({name, eval::better_of(component.type), std::move(output)});
    }
}

void summarise(EvalOutcome& outcome) {
    std::vector<eval::UsageStats> usage;
    for (const eval::ItemResult& item : outcome.run.items) {
        usage.push_back(item.usage);
        if (item.error) outcome.summary.failures.push_back(*item.error);
    }
    outcome.summary.interrupted = outcome.run.interrupted;
    outcome.summary.items = outcome.run.items.size();
    outcome.summary.total_runtime_s = eval::total_runtime(usage);
    if (outcome.profile.workflow_runtime) outcome.summary.workflow_runtime_p95_s = outcome.profile.workflow_runtime->p95;
    if (outcome.profile.llm_latency_ci.n > 0) outcome.summary.llm_latency_p95_s = outcome.profile.llm_latency_ci.percentiles.p95;
}

// Raw output first; whatever fails after it costs only itself.
Result<EvalOutcome> save_outcome(const EvalSetup& setup, eval::RunResult run) {
    EvalOutcome outcome;
    outcome.run = std::move(run);
    PLIMSOLL_TRY(eval::save_workflow_output(setup.folder, outcome.run.items, setup.dataset, setup.step_filter));
    PLIMSOLL_TRY(eval::save_config_files(setup.folder, setup.config->original, config::to_effective_yaml(*setup.config, full_catalogue()),
                                         setup.metadata));
    if (setup.profiler) profile_run(setup, outcome);
    save_evaluations(setup, outcome);
    summarise(outcome);
    return outcome;
}

}  // namespace

Result<EvalSetup> prepare_eval(const config::Config& config, EvalRequest request) {
    EvalSetup setup;
    setup.config = &config;
    const json::value* dataset = find_general(config, "dataset");
    if (!dataset && request.dataset_file.empty())
        return fail(ErrorCode::config, "the file has no eval.general.dataset, and no --dataset is given");
    auto parsed = eval::parse_dataset_config(dataset ? dataset->as_object() : json::object{{"_type", "json"}});
    if (!parsed) return fail(parsed.error().with_context("eval.general.dataset"));
    setup.dataset = std::move(*parsed);
    if (!request.dataset_file.empty()) setup.dataset = eval::with_file(std::move(setup.dataset), request.dataset_file);
    setup.dataset_file = config.resolve(setup.dataset.file_path);

    setup.folder = request.folder.value_or(output_folder(config));
    setup.max_concurrency = static_cast<int>(get_int(json::value(config.eval_general), "max_concurrency").value_or(setup.max_concurrency));
    if (const json::value* profiler = find_general(config, "profiler")) {
        auto settings = profile::parse_profiler_config(*profiler);
        if (!settings) return fail(settings.error().with_context("eval.general.profiler"));
        setup.profiler = std::move(*settings);
        setup.profiler->nat_compat = request.nat_compat;
    }
    auto filter = output_filter(config);
    if (!filter) return fail(filter.error());
    setup.step_filter = std::move(*filter);
    setup.metadata = std::move(request.metadata);
    setup.metadata.timestamp = system_clock()();
    setup.resume = request.resume;
    setup.prices = std::move(request.prices);
    setup.session = request.session;
    return setup;
}

Result<void> prepare_folder(const EvalSetup& setup) {
    PLIMSOLL_TRY(make_folder(setup.folder));
    const bool holds_a_run = std::ranges::any_of(kRunMarkers, [&](std::string_view name) { return fs::exists(setup.folder / name); });
    if (!holds_a_run || setup.resume) return {};
    // The lock that a run in progress holds; its files are not ours to remove.
    const auto lock = eval::FolderLock::take(setup.folder);
    if (!lock) return fail(lock.error());
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(setup.folder, error)) {
        // Our own model server already logs there.
        if (entry.path().filename() != kLogFolder) fs::remove_all(entry.path(), error);
        if (error) return fail(errno_error("cleaning " + setup.folder.string(), error.value()));
    }
    return {};
}

Result<EvalOutcome> run_eval(const EvalSetup& setup, std::vector<eval::DatasetItem> items, const eval::SessionRunner& runner,
                             net::IoPool& pool, const std::vector<event::StepSink*>& sinks) {
    const InterruptScope interrupts;
    eval::ProgressPrinter progress(stdout, eval::ProgressPrinter::style_of(stdout));
    eval::RunOptions options;
    options.items = std::move(items);
    options.max_concurrency = setup.max_concurrency;
    options.folder = setup.folder;
    options.sinks = sinks;
    options.resume = setup.resume;
    options.skip_completed = setup.metadata.skip_completed_entries;
    options.config_hash = eval::text_hash(to_compact_json(setup.config->root));
    options.seed = Random::from_entropy()();
    options.on_progress = [&progress](const eval::Progress& now) { progress.update(now); };
    options.stop = &stop_requested;
    auto run = eval::run_sessions(pool, runner, std::move(options));
    if (!run) return fail(run.error());
    if (run->log_error) log_error("{}", run->log_error->message);
    return save_outcome(setup, std::move(*run));
}

Result<EvalOutcome> score_dataset(const EvalSetup& setup, std::vector<eval::DatasetItem> items) {
    eval::RunResult run;
    for (eval::DatasetItem& item : items) {
        eval::ItemResult result;
        result.output = item.generated_answer;
        if (const auto* steps = item.row.if_contains(setup.dataset.structure.trajectory_key); steps && steps->is_array())
            for (const json::value& value : steps->get_array()) {
                auto step = event::parse_step(value);
                if (step)
                    result.steps.push_back(std::move(*step));
                else
                    log_warning("item {}: {}", to_text(item.id), step.error().message);
            }
        result.usage = eval::compute_usage(result.steps);
        result.item = std::move(item);
        run.items.push_back(std::move(result));
    }
    return save_outcome(setup, std::move(run));
}

}  // namespace plimsoll::cli
