#include "profile/profiler.h"

#include <fmt/format.h>

#include "profile/call_tree.h"
#include "profile/concurrency_spikes.h"
#include "profile/llm_metrics.h"
#include "profile/nested_stack.h"
#include "profile/simple_stack.h"
#include "profile/standardized_csv.h"
#include "profile/token_uniqueness.h"

namespace plimsoll::profile {
namespace {

Result<void> not_available() { return fail(ErrorCode::unsupported, "this analysis is not available in this version"); }

std::vector<GanttBar> make_bars(const CallTree& tree) {
    std::vector<GanttBar> bars;
    bars.reserve(tree.size());
    for (const Call& call : tree)
        bars.push_back({call.span->uuid, call.span->category, call_name(*call.span), call.start(), call.end, call.session, call.depth,
                        call.span->error.has_value()});
    return bars;
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
        if (done)
            metrics_[name] = std::move(output.metrics);
        else
            output.report = fmt::format("{}: not finished: {}", name, runner_.failures().back().second.message);
        text_ += "\n\n\n" + output.report;
    }

    bool empty() const { return text_.empty(); }
    const json::object& metrics() const { return metrics_; }
    const std::string& text() const { return text_; }

  private:
    AnalysisRunner& runner_;
    json::object metrics_;
    std::string text_;
};

class Profiler {
  public:
    Profiler(const ProfileInput& input, const ProfilerConfig& config)
        : input_(input), config_(config), sessions_(input.sessions), view_(make_trace_view(input.sessions)) {}

    ProfileResult run() {
        write_traces();
        write_csv();
        write_inference_optimization();
        write_workflow_profiling();
        note_unavailable();
        write_own_profile();
        result_.timings = runner_.timings();
        result_.failures = runner_.failures();
        return std::move(result_);
    }

  private:
    void add_artefact(std::string file_name, std::string content) {
        result_.artefacts.push_back({std::move(file_name), std::move(content)});
    }

    void write_traces() {
        runner_.run("traces", true, [&]() -> Result<void> {
            add_artefact("all_requests_profiler_traces.json", to_pretty_json(event::to_json(sessions_), Escape::ascii));
            return {};
        });
    }

    void write_csv() {
        LlmMetrics metrics;
        const bool nova = runner_.run("compute_llm_metrics", config_.compute_llm_metrics, [&]() -> Result<void> {
            metrics = compute_llm_metrics(view_);
            return {};
        });
        runner_.run("standardized_data", true, [&]() -> Result<void> {
            add_artefact("standardized_data_all.csv",
                         make_standardized_csv(sessions_, nova ? &metrics : nullptr, config_.csv_exclude_io_text));
            return {};
        });
    }

    void write_inference_optimization() {
        json::value uniqueness, runtimes;
        runner_.run("confidence_intervals", true, [&]() -> Result<void> {
            result_.workflow_runtime_ci = compute_confidence_interval(session_runtimes(sessions_));
            result_.llm_latency_ci = compute_confidence_interval(llm_latencies(view_));
            result_.throughput_ci = compute_throughput(sessions_);
            return {};
        });
        runner_.run("token_uniqueness_forecast", config_.token_uniqueness_forecast, [&]() -> Result<void> {
            json::object models;
            for (const auto& [model, percentiles] : compute_token_uniqueness(view_)) models[model] = to_json(percentiles);
            uniqueness = std::move(models);
            return {};
        });
        const bool forecast = config_.base_metrics || config_.workflow_runtime_forecast;
        runner_.run("workflow_runtime_forecast", forecast, [&]() -> Result<void> {
            result_.workflow_runtime = compute_percentiles(session_runtimes(sessions_));
            runtimes = to_json(*result_.workflow_runtime);
            return {};
        });
        const json::object intervals = {{"workflow_run_time_confidence_intervals", to_json(result_.workflow_runtime_ci)},
                                        {"llm_latency_confidence_intervals", to_json(result_.llm_latency_ci)},
                                        {"throughput_estimate_confidence_interval", to_json(result_.throughput_ci)}};
        add_artefact("inference_optimization.json", to_pretty_json({{"confidence_intervals", intervals},
                                                                    {"common_prefixes", nullptr},
                                                                    {"token_uniqueness", uniqueness},
                                                                    {"workflow_runtimes", runtimes},
                                                                    {"dynamo_metrics", nullptr}}));
    }

    void write_workflow_profiling() {
        using Output = Result<AnalysisOutput>;
        WorkflowReport report(runner_);
        report.add("simple_stack_analysis", config_.bottleneck_analysis.enable_simple_stack,
                   [&]() -> Output { return analyse_simple_stack(view_); });
        report.add("nested_stack_analysis", config_.bottleneck_analysis.enable_nested_stack,
                   [&]() -> Output { return analyse_nested_stack(make_call_tree(view_, is_nested_call)); });
        report.add("concurrency_spike_analysis", config_.concurrency_spike_analysis.enable,
                   [&]() -> Output { return analyse_concurrency_spikes(view_, config_.concurrency_spike_analysis.spike_threshold); });
        report.add("prefix_span_analysis", config_.prefix_span_analysis.enable, []() -> Output { return fail(not_available().error()); });
        if (report.empty()) return;
        add_artefact("workflow_profiling_metrics.json", to_pretty_json(report.metrics()));
        add_artefact("workflow_profiling_report.txt", report.text());
    }

    void note_unavailable() {
        runner_.run("prompt_caching_prefixes", config_.prompt_caching_prefixes.enable, not_available);
        runner_.run("token_usage_forecast", config_.token_usage_forecast, not_available);
        runner_.run("prediction_trie", config_.prediction_trie.enable, not_available);
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
        json::object own = {
            {"sessions", sessions_.size()}, {"orphan_steps", result_.orphan_steps}, {"step_latencies", to_json(result_.step_latencies)}};
        for (auto& [name, value] : to_json(result_.insights)) own[name] = std::move(value);
        own["failures"] = std::move(failures);
        add_artefact("profile.json", to_pretty_json(own));
    }

    const ProfileInput& input_;
    const ProfilerConfig& config_;
    const std::vector<event::SessionTrace>& sessions_;
    TraceView view_;
    AnalysisRunner runner_;
    ProfileResult result_;
};

}  // namespace

ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config) { return Profiler(input, config).run(); }

}  // namespace plimsoll::profile
