#include "profile/profiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "profile/call_tree.h"
#include "profile/common_prefixes.h"
#include "profile/concurrency_spikes.h"
#include "profile/llm_metrics.h"
#include "profile/nat_compat.h"
#include "profile/nested_stack.h"
#include "profile/prediction_trie.h"
#include "profile/prefix_span.h"
#include "profile/simple_stack.h"
#include "profile/standardized_csv.h"
#include "profile/token_forecast.h"
#include "profile/token_uniqueness.h"

namespace plimsoll::profile {
namespace {

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

std::vector<GanttBar> make_bars(const CallTree& tree) {
    std::vector<GanttBar> bars;
    bars.reserve(tree.size());
    for (const Call& call : tree)
        bars.push_back({call.span->uuid, call.span->category, call_name(*call.span), call.start(), call.end, call.session, call.depth,
                        call.span->error.has_value()});
    return bars;
}

// An element of an indented array or member of an indented object, without the brackets around it.
std::string_view inner_text(std::string_view pretty) { return pretty.substr(1, pretty.size() - 3); }

// Session by session: the tree of a long run would take several times the memory of its text.
std::string write_json(const std::vector<event::SessionTrace>& sessions) {
    std::string out = "[";
    for (const auto& session : sessions) {
        if (out.size() > 1) out += ',';
        out += inner_text(to_pretty_json(json::array{event::to_json(session)}, Escape::ascii));
    }
    return out += sessions.empty() ? "]" : "\n]";
}

// Members and sections of the two workflow_profiling files, in NAT's order.
class WorkflowReport {
  public:
    explicit WorkflowReport(AnalysisRunner& runner) : runner_(runner) {}

    void add(std::string_view name, bool on, const std::function<Result<AnalysisOutput>()>& analyse) {
        if (!on) return;
        AnalysisOutput output;
        const bool done = runner_.run(name, on, [&]() -> Result<void> {
            auto result = analyse();
            if (!result) return fail(result.error());
            output = std::move(*result);
            return {};
        });
        if (done) {
            add_metrics(name, std::move(output.metrics));
        } else {
            output.report = fmt::format("{}: not finished: {}", name, runner_.failures().back().second.message);
        }
        text_ += "\n\n\n" + output.report;
    }

    bool empty() const { return text_.empty(); }
    std::string take_metrics() { return metrics_.empty() ? "{}" : std::move(metrics_); }
    std::string take_text() { return std::move(text_); }

  private:
    // As text at once, so that no two of these trees are in memory together. The shorter text moves to the longer one: that of the spikes
    // is as long as all else of a run, and no second copy of it is made.
    void add_metrics(std::string_view name, json::object metrics) {
        std::string member = to_pretty_json(json::object{{name, std::move(metrics)}});
        if (metrics_.empty()) {
            metrics_ = std::move(member);
            return;
        }
        metrics_.resize(metrics_.size() - 2);  // without "\n}"
        metrics_ += ',';
        if (metrics_.size() < member.size()) {
            member.replace(0, 1, metrics_);
            metrics_ = std::move(member);
        } else {
            metrics_.append(member, 1);
        }
    }

    AnalysisRunner& runner_;
    std::string metrics_;  // a whole document, or nothing
    std::string text_;
};

class Profiler {
  public:
    Profiler(const ProfileInput& input, const ProfilerConfig& config, const ArtefactSink& sink)
        : input_(input),
          config_(config),
          sink_(sink),
          nat_(config.nat_compat),
          text_of_(nat_ ? to_python_text : to_plain_text),
          sessions_(input.sessions),
          view_(make_trace_view(input.sessions)) {}

    ProfileResult run() {
        write_traces();
        write_csv();
        const bool nat_may_stop = nat_ && !has_steps();
        const bool has_summary = !(nat_may_stop && summary_needs_steps(config_));
        if (has_summary) write_inference_optimization();
        if (has_summary && !(nat_may_stop && reports_need_steps(config_))) {
            write_workflow_profiling();
            write_forecasts();
        } else {
            note_nat_stop();
        }
        write_own_profile();
        result_.timings = runner_.timings();
        result_.failures = runner_.failures();
        return std::move(result_);
    }

  private:
    void add_artefact(std::string file_name, std::string content) { sink_({std::move(file_name), std::move(content)}); }

    void write_traces() {
        runner_.run("traces", true, [&]() -> Result<void> {
            add_artefact("all_requests_profiler_traces.json", write_json(sessions_));
            return {};
        });
    }

    void write_csv() {
        LlmMetrics metrics;
        const bool nova = runner_.run("compute_llm_metrics", config_.compute_llm_metrics, [&]() -> Result<void> {
            metrics = compute_llm_metrics(view_, nat_ ? UuidScope::run : UuidScope::session);
            return {};
        });
        runner_.run("standardized_data", true, [&]() -> Result<void> {
            add_artefact("standardized_data_all.csv",
                         make_standardized_csv(sessions_, nova ? &metrics : nullptr, config_.csv_exclude_io_text, text_of_));
            return {};
        });
    }

    void write_inference_optimization() {
        json::value uniqueness, runtimes;
        runner_.run("confidence_intervals", true, [&]() -> Result<void> {
            result_.workflow_runtime_ci = compute_confidence_interval(session_seconds());
            result_.llm_latency_ci = compute_confidence_interval(nat_ ? compute_nat_latencies(sessions_) : llm_latencies(view_));
            result_.throughput_ci = compute_throughput(sessions_);
            return {};
        });
        json::value common_prefixes;
        runner_.run("prompt_caching_prefixes", config_.prompt_caching_prefixes.enable, [&]() -> Result<void> {
            const double min_frequency = config_.prompt_caching_prefixes.min_frequency;
            const auto prefixes = nat_ ? find_nat_prefixes(view_, min_frequency) : find_common_prefixes(view_, min_frequency);
            result_.prefix_tree = make_prefix_tree(prefixes);
            common_prefixes = to_json(prefixes);
            return {};
        });
        runner_.run("token_uniqueness_forecast", config_.token_uniqueness_forecast, [&]() -> Result<void> {
            json::object models;
            for (const auto& [model, percentiles] : compute_token_uniqueness(view_, text_of_)) models[model] = to_json(percentiles);
            uniqueness = std::move(models);
            return {};
        });
        const bool forecast = config_.base_metrics || config_.workflow_runtime_forecast;
        runner_.run("workflow_runtime_forecast", forecast, [&]() -> Result<void> {
            result_.workflow_runtime = compute_percentiles(session_seconds());
            runtimes = to_json(*result_.workflow_runtime);
            return {};
        });
        const json::object intervals = {{"workflow_run_time_confidence_intervals", to_json(result_.workflow_runtime_ci)},
                                        {"llm_latency_confidence_intervals", to_json(result_.llm_latency_ci)},
                                        {"throughput_estimate_confidence_interval", to_json(result_.throughput_ci)}};
        add_artefact("inference_optimization.json", to_pretty_json({{"confidence_intervals", intervals},
                                                                    {"common_prefixes", common_prefixes},
                                                                    {"token_uniqueness", uniqueness},
                                                                    {"workflow_runtimes", runtimes},
                                                                    {"dynamo_metrics", nullptr}}));
    }

    void write_workflow_profiling() {
        using Output = Result<AnalysisOutput>;
        WorkflowReport report(runner_);
        report.add("simple_stack_analysis", config_.bottleneck_analysis.enable_simple_stack,
                   [&]() -> Output { return analyse_simple_stack(nat_ ? collect_nat_operations(sessions_) : collect_operations(view_)); });
        report.add("nested_stack_analysis", config_.bottleneck_analysis.enable_nested_stack, [&]() -> Output {
            if (nat_) return analyse_nested_stack(make_nat_calls(sessions_, is_nested_call).tree);
            return analyse_nested_stack(make_call_tree(view_, is_nested_call));
        });
        report.add("concurrency_spike_analysis", config_.concurrency_spike_analysis.enable, [&]() -> Output {
            const int threshold = config_.concurrency_spike_analysis.spike_threshold;
            if (!nat_) return analyse_concurrency_spikes(view_, threshold);
            return analyse_concurrency_spikes({sessions_, make_nat_calls(sessions_, is_operation).spans}, threshold,
                                              {.max_listed = kMaxListedNatUuids, .merge_equal = true});
        });
        report.add("prefix_span_analysis", config_.prefix_span_analysis.enable, [&]() -> Output { return mine_sequences(); });
        if (report.empty()) return;
        add_artefact("workflow_profiling_metrics.json", report.take_metrics());
        add_artefact("workflow_profiling_report.txt", report.take_text());
    }

    Result<AnalysisOutput> mine_sequences() {
        const PrefixSpanSettings& settings = config_.prefix_span_analysis;
        if (nat_) return analyse_prefix_span(make_nat_sequences(view_, settings.max_text_len), settings, SupportRule::always_share);
        std::map<std::string, ModelPrefixes> prefixes;
        if (settings.chain_with_common_prefixes) prefixes = find_common_prefixes(view_, config_.prompt_caching_prefixes.min_frequency);
        return analyse_prefix_span(make_sequences(view_, settings.max_text_len, prefixes), settings);
    }

    void write_forecasts() {
        runner_.run("token_usage_forecast", config_.token_usage_forecast, [&]() -> Result<void> {
            const auto forecast = forecast_tokens(view_);
            if (!forecast) return fail(forecast.error());
            add_artefact("token_usage_forecast.json", to_pretty_json(to_json(*forecast)));
            return {};
        });
        const PredictionTrieSettings& trie = config_.prediction_trie;
        runner_.run("prediction_trie", trie.enable, [&]() -> Result<void> {
            const TrieNode root = nat_ ? build_prediction_trie({sessions_, make_nat_siblings(sessions_)}, trie, CallStarts::recorded)
                                       : build_prediction_trie(view_, trie);
            add_artefact(trie.output_filename, to_pretty_json(to_json(root, time_of_last_step(sessions_))));
            return {};
        });
    }

    std::vector<double> session_seconds() const {
        return session_runtimes(sessions_, nat_ ? SessionStart::step : SessionStart::step_or_span);
    }

    bool has_steps() const {
        return std::ranges::any_of(sessions_, [](const event::SessionTrace& session) { return !session.steps.empty(); });
    }

    void note_nat_stop() {
        runner_.run("nat_compat", true, []() -> Result<void> {
            return fail(ErrorCode::unsupported, "no session has a step: NAT stops with an error here and writes no further file");
        });
    }

    // What NAT has no file for: latencies by step and what went wrong.
    void write_own_profile() {
        runner_.run("step_latencies", true, [&]() -> Result<void> {
            const CallTree tree = make_call_tree(view_, is_call);
            result_.step_latencies = compute_step_latencies(tree);
            result_.bars = make_bars(tree);
            result_.call_timeline = compute_call_timeline(view_);
            return {};
        });
        InsightSettings settings{.prices = input_.prices, .spike_threshold = {}, .session = input_.session};
        if (config_.concurrency_spike_analysis.enable) settings.spike_threshold = config_.concurrency_spike_analysis.spike_threshold;
        result_.insights = compute_insights(view_, settings, runner_);
        for (const auto& session : view_.spans) result_.orphan_steps += session.orphans;
        json::array failures;
        for (const auto& [name, error] : runner_.failures())
            failures.push_back({{"analysis", name}, {"code", to_string(error.code)}, {"message", error.message}});
        json::object own = {{"sessions", sessions_.size()},
                            {"skipped", event::to_json(input_.skipped)},
                            {"orphan_steps", result_.orphan_steps},
                            {"step_latencies", to_json(result_.step_latencies)}};
        for (auto& [name, value] : to_json(result_.insights)) own[name] = std::move(value);
        own["failures"] = std::move(failures);
        add_artefact("profile.json", to_pretty_json(own));
    }

    const ProfileInput& input_;
    const ProfilerConfig& config_;
    const ArtefactSink& sink_;
    const bool nat_;
    const TextOf text_of_;
    const std::vector<event::SessionTrace>& sessions_;
    TraceView view_;
    AnalysisRunner runner_;
    ProfileResult result_;
};

}  // namespace

ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config, const ArtefactSink& sink) {
    return Profiler(input, config, sink).run();
}

ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config) {
    std::vector<Artefact> artefacts;
    ProfileResult result = profile(input, config, [&](Artefact artefact) { artefacts.push_back(std::move(artefact)); });
    result.artefacts = std::move(artefacts);
    return result;
}

}  // namespace plimsoll::profile
