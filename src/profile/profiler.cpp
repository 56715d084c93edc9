#include "profile/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "profile/concurrency_spikes.h"
#include "profile/llm_calls.h"
#include "profile/llm_metrics.h"
#include "profile/nat_compat.h"
#include "profile/nested_stack.h"
#include "profile/pickle.h"
#include "profile/prediction_trie.h"
#include "profile/prefix_span.h"
#include "profile/simple_stack.h"
#include "profile/standardized_csv.h"
#include "profile/token_forecast.h"
#include "profile/token_forest.h"
#include "profile/token_uniqueness.h"
#include "profile/workflow_report.h"

namespace plimsoll::profile {
namespace {

constexpr std::string_view kGraph = "run_graph";

std::unexpected<Error> missing_graph() { return fail(ErrorCode::internal, fmt::format("needs {}, which failed", kGraph)); }

// NAT's analyses that raise an error when no session has a step, which ends its profiler: those of inference_optimization.json before
// that file is written, those of the workflow_profiling files after it.
bool summary_needs_steps(const ProfilerConfig& config) {
    return config.base_metrics || config.workflow_runtime_forecast || config.token_uniqueness_forecast ||
           config.prompt_caching_prefixes.enable;
}

bool reports_need_steps(const ProfilerConfig& config) {
    return config.bottleneck_analysis.enable_simple_stack || config.bottleneck_analysis.enable_nested_stack ||
           config.concurrency_spike_analysis.enable || config.prefix_span_analysis.enable;
}

// NAT's table takes what a UUID's last LLM_END says, and the type of a column, from all sessions.
bool csv_needs_preview(const ProfilerConfig& config) { return config.nat_compat && config.compute_llm_metrics; }

// Prompts are cut behind what they have in common, which shows at the end of the run.
bool sequences_need_preview(const ProfilerConfig& config) {
    return !config.nat_compat && config.prefix_span_analysis.enable && config.prefix_span_analysis.chain_with_common_prefixes;
}

// From the first step, or the start that an END carries, to the last.
DynamoSettings with_window(DynamoSettings settings, const RunGraph& graph) {
    for (const SessionRow& session : graph.sessions) {
        if (session.steps == 0) continue;
        settings.workflow_start_timestamp = std::min(settings.workflow_start_timestamp.value_or(session.first_known), session.first_known);
        settings.workflow_end_timestamp = std::max(settings.workflow_end_timestamp.value_or(session.last_step), session.last_step);
    }
    return settings;
}

// Sessions go through add() one by one: what leaves them at once is written, what an analysis of the run needs of them is kept in a few
// words. The files that need the whole run are written by finish().
class Profiler {
  public:
    Profiler(const ProfileOptions& options, const ProfilerConfig& config, ArtefactStore& artefacts)
        : options_(options),
          config_(config),
          artefacts_(artefacts),
          nat_(config.nat_compat),
          text_of_(nat_ ? to_python_text : to_plain_text),
          traces_(artefacts.open("all_requests_profiler_traces.json")),
          csv_file_(artefacts.open("standardized_data_all.csv")),
          llm_calls_(artefacts.open("llm_calls.csv")),
          csv_({.nova = config.compute_llm_metrics, .text = !config.csv_exclude_io_text}, text_of_),
          uniqueness_(text_of_),
          trie_(config.prediction_trie, nat_ ? CallStarts::recorded : CallStarts::paired),
          forest_(nat_ ? ForestRules::nat : ForestRules::plimsoll) {
        traces_->append("[");
        llm_calls_->append(llm_calls_head());
    }

    void preview(const event::SessionTrace& session) {
        runner_.run("compute_llm_metrics", csv_needs_preview(config_), [&]() -> Result<void> {
            run_tokens_.add(session.steps);
            constexpr event::EventType kLlmStart{event::Category::llm, event::Phase::start};
            any_llm_start_ = any_llm_start_ || std::ranges::any_of(session.steps, [&](const event::Step& step) {
                                 return step.payload.event_type == kLlmStart;
                             });
            return {};
        });
        runner_.run("prefix_span_analysis", sequences_need_preview(config_), [&]() -> Result<void> {
            prefixes_.add(session.steps);
            return {};
        });
    }

    void end_preview() {
        if (csv_needs_preview(config_)) {
            run_tokens_.sort();
            csv_.expect(any_llm_start_);
        }
        if (sequences_need_preview(config_)) sequence_prefixes_ = prefixes_.find(config_.prompt_caching_prefixes.min_frequency);
        prefixes_ = CommonPrefixes(prefix_rule());
    }

    void add(const event::SessionTrace& session) {
        runner_.run("traces", true, [&]() -> Result<void> { return write_trace(session); });
        write_rows(session);
        event::SpanList spans;
        runner_.run(kGraph, true, [&]() -> Result<void> {
            spans = event::pair_spans(session.steps);
            add_session(graph_, session, spans);
            return {};
        });
        collect(session, spans);
        ++result_.sessions;
        result_.steps += session.steps.size();
    }

    ProfileResult finish(const event::SkipReport& skipped) {
        traces_->append(result_.sessions > 0 ? "\n]" : "]");
        if (!runner_.find_failure("traces")) traces_->commit();
        runner_.run("standardized_data", true, [&]() -> Result<void> {
            csv_file_->append(csv_.take_rest());
            csv_file_->commit();
            return {};
        });
        const bool nat_may_stop = nat_ && result_.steps == 0;
        const bool has_summary = !(nat_may_stop && summary_needs_steps(config_));
        if (has_summary) write_inference_optimization();
        if (has_summary && !(nat_may_stop && reports_need_steps(config_))) {
            write_workflow_profiling();
            write_forecasts();
        } else {
            note_nat_stop();
        }
        write_own_profile(skipped);
        result_.timings = runner_.timings();
        result_.failures = runner_.failures();
        return std::move(result_);
    }

  private:
    using Body = std::function<Result<void>()>;

    // For what is computed from the graph.
    bool analyse(std::string_view name, bool on, const Body& body) {
        return runner_.run(name, on, [&]() -> Result<void> {
            if (runner_.find_failure(kGraph)) return missing_graph();
            return body();
        });
    }

    PrefixRule prefix_rule() const { return nat_ ? PrefixRule::nat : PrefixRule::calls; }

    void save(const std::string& file_name, std::string_view text) {
        const auto file = artefacts_.open(file_name);
        file->append(text);
        file->commit();
    }

    Result<void> write_trace(const event::SessionTrace& session) {
        std::string text = result_.sessions > 0 ? ",\n  " : "\n  ";
        append_pretty_json(text, event::to_json(session), 1, Escape::ascii);
        traces_->append(text);
        return {};
    }

    void write_rows(const event::SessionTrace& session) {
        std::vector<StepOutlook> outlooks;
        const bool nova = runner_.run("compute_llm_metrics", config_.compute_llm_metrics, [&]() -> Result<void> {
            outlooks = compute_outlooks(session.steps, nat_ ? &run_tokens_ : nullptr);
            return {};
        });
        runner_.run("standardized_data", true, [&]() -> Result<void> {
            csv_.add(session, nova ? &outlooks : nullptr);
            csv_file_->append(csv_.take_rows());
            return {};
        });
    }

    // What is not in the graph.
    void collect(const event::SessionTrace& session, const event::SpanList& spans) {
        analyse("llm_calls", true, [&]() -> Result<void> {
            std::string rows;
            append_llm_calls(rows, result_.sessions, session, spans);
            llm_calls_->append(rows);
            return {};
        });
        runner_.run("fitted_model", config_.token_usage_forecast, [&] { return forest_.add(session.steps); });
        runner_.run("prompt_caching_prefixes", config_.prompt_caching_prefixes.enable, [&]() -> Result<void> {
            prefixes_.add(session.steps);
            return {};
        });
        runner_.run("token_uniqueness_forecast", config_.token_uniqueness_forecast, [&]() -> Result<void> {
            uniqueness_.add(session.steps);
            return {};
        });
        if (nat_) collect_nat(session);
        if (session.steps.empty()) return;
        analyse("prefix_span_analysis", config_.prefix_span_analysis.enable, [&]() -> Result<void> {
            const int text_len = config_.prefix_span_analysis.max_text_len;
            auto sequence =
                nat_ ? make_nat_sequence(session.steps, text_len) : make_sequence(session.steps, spans, text_len, sequence_prefixes_);
            sequence.session = result_.sessions;
            sequences_.add(sequence);
            return {};
        });
        analyse("prediction_trie", config_.prediction_trie.enable, [&]() -> Result<void> {
            trie_.add(session.steps, nat_ ? find_nat_siblings(session.steps) : spans.spans,
                      graph_.sessions.back().runtime_from(session_start()));
            return {};
        });
    }

    void collect_nat(const event::SessionTrace& session) {
        runner_.run("confidence_intervals", true, [&]() -> Result<void> {
            const auto latencies = compute_nat_latencies(session.steps);
            nat_latencies_.insert(nat_latencies_.end(), latencies.begin(), latencies.end());
            return {};
        });
        runner_.run("simple_stack_analysis", config_.bottleneck_analysis.enable_simple_stack, [&]() -> Result<void> {
            nat_operations_.add(session.steps);
            return {};
        });
        runner_.run("nested_stack_analysis", config_.bottleneck_analysis.enable_nested_stack, [&]() -> Result<void> {
            add_nat_session(nat_nested_, session, is_nested_call);
            return {};
        });
        runner_.run("concurrency_spike_analysis", config_.concurrency_spike_analysis.enable, [&]() -> Result<void> {
            add_nat_session(nat_flat_, session, is_operation);
            return {};
        });
    }

    SessionStart session_start() const { return nat_ ? SessionStart::step : SessionStart::step_or_span; }

    ConfidenceInterval throughput() const {
        double first = std::numeric_limits<double>::infinity(), last = -first;
        for (const SessionRow& session : graph_.sessions) {
            if (session.steps == 0) continue;
            first = std::min(first, session.first_step);
            last = std::max(last, session.last_step);
        }
        return compute_throughput(graph_.sessions.size(), first, last);
    }

    void write_inference_optimization() {
        json::value uniqueness, runtimes, common_prefixes;
        analyse("confidence_intervals", true, [&]() -> Result<void> {
            result_.workflow_runtime_ci = compute_confidence_interval(session_runtimes(graph_, session_start()));
            result_.llm_latency_ci = compute_confidence_interval(nat_ ? std::exchange(nat_latencies_, {}) : llm_latencies(graph_));
            result_.throughput_ci = throughput();
            return {};
        });
        runner_.run("prompt_caching_prefixes", config_.prompt_caching_prefixes.enable, [&]() -> Result<void> {
            const auto prefixes = prefixes_.find(config_.prompt_caching_prefixes.min_frequency);
            prefixes_ = CommonPrefixes(prefix_rule());
            result_.prefix_tree = make_prefix_tree(prefixes);
            common_prefixes = to_json(prefixes);
            return {};
        });
        runner_.run("token_uniqueness_forecast", config_.token_uniqueness_forecast, [&]() -> Result<void> {
            json::object models;
            for (const auto& [model, percentiles] : uniqueness_.compute()) models[model] = to_json(percentiles);
            uniqueness = std::move(models);
            return {};
        });
        analyse("workflow_runtime_forecast", config_.base_metrics || config_.workflow_runtime_forecast, [&]() -> Result<void> {
            result_.workflow_runtime = compute_percentiles(session_runtimes(graph_, session_start()));
            runtimes = to_json(*result_.workflow_runtime);
            return {};
        });
        json::value dynamo;
        analyse("dynamo_metrics", config_.dynamo_metrics.enable && options_.fetch_dynamo, [&]() -> Result<void> {
            dynamo = to_json(options_.fetch_dynamo(with_window(config_.dynamo_metrics, graph_)));
            return {};
        });
        const json::object intervals = {{"workflow_run_time_confidence_intervals", to_json(result_.workflow_runtime_ci)},
                                        {"llm_latency_confidence_intervals", to_json(result_.llm_latency_ci)},
                                        {"throughput_estimate_confidence_interval", to_json(result_.throughput_ci)}};
        save("inference_optimization.json",
             to_pretty_json({{"confidence_intervals", runner_.in_place_of("confidence_intervals", intervals)},
                             {"common_prefixes", runner_.in_place_of("prompt_caching_prefixes", common_prefixes)},
                             {"token_uniqueness", runner_.in_place_of("token_uniqueness_forecast", uniqueness)},
                             {"workflow_runtimes", runner_.in_place_of("workflow_runtime_forecast", runtimes)},
                             {"dynamo_metrics", runner_.in_place_of("dynamo_metrics", dynamo)}}));
    }

    void write_workflow_profiling() {
        constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
        WorkflowReport report(runner_, artefacts_);
        const auto add = [&](std::string_view name, bool on, const std::function<void(const AnalysisOutput&)>& body) {
            report.add(name, on, [&](const AnalysisOutput& output) -> Result<void> {
                if (runner_.find_failure(kGraph)) return missing_graph();
                body(output);
                return {};
            });
        };
        add("simple_stack_analysis", config_.bottleneck_analysis.enable_simple_stack, [&](const AnalysisOutput& output) {
            analyse_simple_stack(nat_ ? nat_operations_.collect() : collect_operations(graph_), output);
            nat_operations_ = {};
        });
        add("nested_stack_analysis", config_.bottleneck_analysis.enable_nested_stack, [&](const AnalysisOutput& output) {
            if (nat_) result_.bars = find_earliest_bars(nat_nested_, is_nested_call, kMaxNatBars);
            analyse_nested_stack(nat_ ? nat_nested_ : graph_, nat_ ? kAll : kMaxTreeLines, output);
            nat_nested_ = {};
        });
        add("concurrency_spike_analysis", config_.concurrency_spike_analysis.enable, [&](const AnalysisOutput& output) {
            const SpikeLimits nat_limits{.listed_uuids = kMaxListedNatUuids, .report_lines = kAll, .merge_equal = true};
            analyse_concurrency_spikes(nat_ ? nat_flat_ : graph_, spike_threshold(), nat_ ? nat_limits : SpikeLimits{}, output);
            nat_flat_ = {};
        });
        add("prefix_span_analysis", config_.prefix_span_analysis.enable, [&](const AnalysisOutput& output) {
            const CallSequences::Rules nat_rules{.support = SupportRule::always_share, .listed_examples = kAll};
            std::exchange(sequences_, CallSequences())
                .analyse(config_.prefix_span_analysis, nat_ ? nat_rules : CallSequences::Rules{}, output);
        });
        report.finish();
    }

    int spike_threshold() const {
        const auto given = config_.concurrency_spike_analysis.spike_threshold;
        if (given) return *given;
        return nat_ ? *SpikeSettings().spike_threshold : usual_spike_level(compute_call_timeline(graph_));
    }

    void write_forecasts() {
        analyse("token_usage_forecast", config_.token_usage_forecast, [&]() -> Result<void> {
            const auto forecast = forecast_tokens(graph_);
            if (!forecast) return fail(forecast.error());
            save("token_usage_forecast.json", to_pretty_json(to_json(*forecast)));
            return {};
        });
        runner_.run("fitted_model", config_.token_usage_forecast, [&]() -> Result<void> {
            const auto forest = forest_.fit();
            if (!forest) return fail(forest.error());
            save("fitted_model.pkl", to_pickle(to_json(*forest)));
            return {};
        });
        analyse("prediction_trie", config_.prediction_trie.enable, [&]() -> Result<void> {
            double last_step = 0;
            for (const SessionRow& session : graph_.sessions) last_step = std::max(last_step, session.last_step);
            save(config_.prediction_trie.output_filename, to_pretty_json(to_json(trie_.build(), format_time(last_step))));
            return {};
        });
    }

    void note_nat_stop() {
        runner_.run("nat_compat", true, []() -> Result<void> {
            return fail(ErrorCode::unsupported, "no session has a step: NAT stops with an error here and writes no further file");
        });
    }

    // What NAT has no file for: latencies by step and what went wrong.
    void write_own_profile(const event::SkipReport& skipped) {
        if (!runner_.find_failure("llm_calls")) llm_calls_->commit();
        analyse("step_latencies", true, [&]() -> Result<void> {
            result_.session_runtime = make_distribution(session_runtimes(graph_));
            result_.step_latencies = compute_step_latencies(graph_);
            if (!nat_) result_.bars = find_earliest_bars(graph_, is_call, kMaxBars);
            return {};
        });
        InsightSettings settings{.prices = options_.prices, .spike_threshold = {}, .session = options_.session};
        if (config_.concurrency_spike_analysis.enable) settings.spike_threshold = config_.concurrency_spike_analysis.spike_threshold;
        result_.insights = compute_insights(graph_, settings, runner_);
        result_.orphan_steps = graph_.orphan_steps;
        json::array failures;
        for (const auto& [name, error] : runner_.failures())
            failures.push_back({{"analysis", name}, {"code", to_string(error.code)}, {"message", error.message}});
        json::object own = {{"sessions", result_.sessions},
                            {"skipped", event::to_json(skipped)},
                            {"orphan_steps", result_.orphan_steps},
                            {"step_latencies", runner_.in_place_of("step_latencies", to_json(result_.step_latencies))}};
        for (auto& [name, value] : to_json(result_.insights, runner_)) own[name] = std::move(value);
        own["failures"] = std::move(failures);
        save("profile.json", to_pretty_json(own));
    }

    const ProfileOptions& options_;
    const ProfilerConfig& config_;
    ArtefactStore& artefacts_;
    const bool nat_;
    const TextOf text_of_;
    AnalysisRunner runner_;
    std::unique_ptr<ArtefactWriter> traces_, csv_file_, llm_calls_;

    bool any_llm_start_ = false;
    CompletionTokens run_tokens_;
    StandardizedCsv csv_;
    RunGraph graph_;
    CommonPrefixes prefixes_{prefix_rule()};
    std::map<std::string, ModelPrefixes> sequence_prefixes_;
    TokenUniqueness uniqueness_;
    CallSequences sequences_;
    PredictionTrie trie_;
    ForestRows forest_;
    std::vector<double> nat_latencies_;
    NatOperations nat_operations_;
    RunGraph nat_nested_, nat_flat_;
    ProfileResult result_;
};

}  // namespace

bool needs_preview(const ProfilerConfig& config) { return csv_needs_preview(config) || sequences_need_preview(config); }

Result<ProfileResult> profile(const SessionSource& source, const ProfileOptions& options, const ProfilerConfig& config,
                              ArtefactStore& artefacts) {
    Profiler profiler(options, config, artefacts);
    if (needs_preview(config)) {
        const auto seen = source([&](const event::SessionTrace& session) { profiler.preview(session); });
        if (!seen) return fail(seen.error());
        profiler.end_preview();
    }
    const auto skipped = source([&](const event::SessionTrace& session) { profiler.add(session); });
    if (!skipped) return fail(skipped.error());
    return profiler.finish(*skipped);
}

ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config) {
    const SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        for (const event::SessionTrace& session : input.sessions) on_session(session);
        return input.skipped;
    };
    ArtefactList artefacts;
    ProfileResult result = profile(source, {input.prices, input.session, input.fetch_dynamo}, config, artefacts).value();
    result.artefacts = std::move(artefacts.list);
    return result;
}

}  // namespace plimsoll::profile
