#include "cli/eval_run.h"

#include <fmt/format.h>

#include <array>
#include <csignal>

#include "base/files.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/catalogue.h"
#include "cli/profile_files.h"
#include "cli/profile_view.h"
#include "cli/run_folder.h"
#include "eval/dynamo_fetch.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;

std::atomic<eval::Stop> stop_requested = eval::Stop::no;

extern "C" void note_interrupt(int) {
    stop_requested = stop_requested == eval::Stop::no ? eval::Stop::finish_running : eval::Stop::abort_running;
}

// Ctrl-C, or what `kill` and service managers send, asks the run to stop for as long as this lives.
class InterruptScope {
  public:
    InterruptScope() {
        stop_requested = eval::Stop::no;
        for (std::size_t i = 0; i < kSignals.size(); ++i) previous_[i] = std::signal(kSignals[i], note_interrupt);
    }
    ~InterruptScope() {
        for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], previous_[i]);
    }
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

  private:
    static constexpr std::array kSignals = {SIGINT, SIGTERM};
    std::array<void (*)(int), kSignals.size()> previous_{};
};

// What the config gives the name of.
std::vector<std::string> named_files(const EvalSetup& setup, std::vector<std::string> more) {
    for (const auto& [name, component] : setup.config->evaluators) more.push_back(eval::evaluator_file(name));
    if (setup.profiler && setup.profiler->prediction_trie.enable) more.push_back(setup.profiler->prediction_trie.output_filename);
    return more;
}

// A key may be renewed, or come from the environment: that changes no session.
json::value without_secrets(const json::value& masked) {
    const auto* object = masked.if_object();
    if (!object) return masked;
    json::object out;
    for (const auto& [key, value] : *object)
        if (!value.is_string() || value.get_string() != kRedacted) out[key] = without_secrets(value);
    return out;
}

void warn(const Result<void>& result) {
    if (!result) log_warning("{}", result.error().message);
}

Result<void> save_run_report(const EvalSetup& setup, EvalOutcome& outcome) {
    report::ReportView view{.title = "Plimsoll report", .headline = "One agent, profiled"};
    add_profiled_run(setup.folder.string(), std::move(outcome.profile), {}, nullptr, view);
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
    std::vector<eval::ItemResult>& items = outcome.run.items;
    const profile::SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        for (std::size_t i = 0; i < items.size(); ++i) {
            event::SessionTrace session{static_cast<std::int64_t>(i), std::move(items[i].steps)};
            if (items[i].intended_start > 0) event::note_queueing(session, items[i].start - items[i].intended_start);
            on_session(session);
            items[i].steps = std::move(session.steps);
        }
        return event::SkipReport();
    };
    auto profile = save_profile(source, {setup.prices, setup.session, eval::fetch_dynamo_metrics}, *setup.profiler, setup.folder);
    PLIMSOLL_CHECK(profile.has_value(), "sessions in memory have no errors");
    warn(profile->saved);
    outcome.profile = std::move(profile->result);
    warn(save_run_report(setup, outcome));
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
        outcome.summary.evaluators.push_back({name, output.average, eval::evaluator_file(name)});
        outcome.evaluations.push_back({name, eval::better_of(component.type), std::move(output)});
    }
}

void summarise(EvalOutcome& outcome) {
    std::vector<eval::UsageStats> usage;
    for (const eval::ItemResult& item : outcome.run.items) {
        usage.push_back(item.usage);
        if (item.error) outcome.summary.failures.push_back(*item.error);
        const std::vector<Error>& failed = item.usage.failed_calls;
        if (!item.error && !failed.empty()) ++outcome.summary.degraded;
        outcome.summary.answered_calls += item.usage.answered_calls;
        outcome.summary.failed_calls.insert(outcome.summary.failed_calls.end(), failed.begin(), failed.end());
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
    PLIMSOLL_TRY(eval::save_workflow_output(setup.folder, outcome.run.items, setup.dataset, setup.output.step_filter));
    if (setup.output.write_atif) {
        PLIMSOLL_TRY(eval::save_atif_output(setup.folder, outcome.run.items));
        outcome.summary.output_files += fmt::format(", {}", eval::kAtifName);
    }
    if (setup.profiler) profile_run(setup, outcome);
    save_evaluations(setup, outcome);
    summarise(outcome);
    if (const auto ran = run_custom_scripts(setup.output.scripts, setup.folder); !ran) {
        outcome.script_error = ran.error();
        log_error("{}", ran.error().message);
    }
    if (outcome.no_call_worked() && outcome.summary.degraded > 0)
        log_error("no model call worked, so the answers hold nothing of a model: {}", outcome.summary.failed_calls.front().message);
    else if (outcome.summary.degraded > 0)
        log_warning("{} of {} sessions are degraded: model calls of theirs failed", outcome.summary.degraded, outcome.summary.items);
    return outcome;
}

}  // namespace

Result<EvalSetup> prepare_eval(const config::Config& config, EvalRequest request) {
    std::error_code ignored;  // a working folder that is gone has no name
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

    auto output = read_output_settings(config);
    if (!output) return fail(output.error());
    setup.output = std::move(*output);
    setup.folder = request.folder.value_or(setup.output.folder);
    if (request.folder) setup.output.jobs.reset();
    setup.workflow_alias = get_string(json::value(config.eval_general), "workflow_alias").value_or("");
    if (const auto* own = find_general(config, "per_input_user_id")) setup.per_input_user_id = own->get_bool();
    setup.max_concurrency = static_cast<int>(get_int(json::value(config.eval_general), "max_concurrency").value_or(setup.max_concurrency));
    if (const json::value* profiler = find_general(config, "profiler")) {
        auto settings = profile::parse_profiler_config(*profiler);
        if (!settings) return fail(settings.error().with_context("eval.general.profiler"));
        setup.profiler = std::move(*settings);
        setup.profiler->nat_compat = request.nat_compat;
    }
    setup.metadata = std::move(request.metadata);
    setup.metadata.overrides = config::masked_overrides(std::move(setup.metadata.overrides), config, full_catalogue());
    if (auto& endpoint = setup.metadata.endpoint) endpoint = mask_url_password(*endpoint);
    setup.metadata.timestamp = system_clock()();
    setup.metadata.working_folder = fs::current_path(ignored);
    setup.metadata.nat_compat = request.nat_compat;
    setup.metadata.named_files = named_files(setup, std::move(request.more_files));
    setup.resume = request.resume;
    setup.prices = std::move(request.prices);
    setup.session = request.session;
    return setup;
}

std::string session_hash(const config::Config& config, const eval::EvalMetadata& metadata) {
    json::object parts = {{"endpoint", metadata.endpoint ? json::value(*metadata.endpoint) : nullptr},
                          {"result_json_path", metadata.result_json_path}};
    // What only the run as a whole depends on (eval, general), or the optimizer, is left out.
    for (const auto& [key, value] : config::masked_root(config, full_catalogue()))
        if (key != "eval" && key != "general" && key != "optimizer" && key != "finetuning") parts[key] = without_secrets(value);
    return eval::text_hash(to_compact_json(parts));
}

Result<void> prepare_folder(const EvalSetup& setup) {
    // A run that goes on is what it was begun as.
    if (setup.resume && eval::load_metadata(setup.folder)) return {};
    const EvalFolder folder{.path = setup.folder,
                            .named_files = setup.metadata.named_files,
                            .inputs = {setup.config->file, setup.dataset_file},
                            .makes_raw_data = !setup.metadata.skip_workflow};
    if (setup.output.jobs && !setup.resume) PLIMSOLL_TRY(evict_jobs(*setup.output.jobs));
    PLIMSOLL_TRY(setup.output.cleanup && !setup.resume ? clear_earlier_run(folder) : make_folder(setup.folder));
    if (!folder.makes_raw_data) PLIMSOLL_TRY(set_aside_raw_data(folder));
    return eval::save_config_files(setup.folder, setup.config->original, config::to_effective_yaml(*setup.config, full_catalogue()),
                                   setup.metadata);
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
    options.workflow_alias = setup.workflow_alias;
    options.per_input_user_id = setup.per_input_user_id;
    options.skip_completed = setup.metadata.skip_completed_entries;
    options.config_hash = session_hash(*setup.config, setup.metadata);
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
