#include "profile/insights.h"

#include "profile/concurrency_spikes.h"

namespace plimsoll::profile {
namespace {

void count_tokens(const TraceView& view, Insights& insights) {
    std::vector<double> prompts, completions;
    for (const auto& session : view.spans)
        for (const event::Span& span : session.spans) {
            if (span.category != event::Category::llm) continue;
            if (span.usage.prompt_tokens > 0) prompts.push_back(static_cast<double>(span.usage.prompt_tokens));
            if (span.usage.completion_tokens > 0) completions.push_back(static_cast<double>(span.usage.completion_tokens));
        }
    insights.prompt_tokens = make_histogram(prompts);
    insights.completion_tokens = make_histogram(completions);
}

}  // namespace

Insights compute_insights(const TraceView& view, const InsightSettings& settings, AnalysisRunner& runner) {
    Insights insights;
    RunGraph graph;
    const auto run = [&](std::string_view name, bool on, const std::function<void()>& body) {
        return runner.run(name, on, [&]() -> Result<void> {
            body();
            return {};
        });
    };
    const bool has_graph = run("run_graph", true, [&] { graph = make_run_graph(view); });
    const bool has_path = run("critical_path", has_graph, [&] { insights.critical_path = compute_critical_paths(graph); });
    run("llm_timing", true, [&] { insights.llm_timing = compute_llm_timings(view); });
    run("what_if", has_graph, [&] { insights.what_if = compute_what_if(graph); });
    run("error_cost", has_graph, [&] { insights.error_cost = compute_error_cost(view, graph); });
    run("token_cost", !settings.prices.empty(), [&] { insights.token_cost = compute_token_cost(view, settings.prices); });
    run("cold_start", has_graph, [&] { insights.cold_start = detect_cold_start(graph); });
    run("variation", has_path, [&] { insights.variation = compute_variation(graph, insights.critical_path); });
    run("wasted_work", has_graph, [&] { insights.wasted_work = compute_wasted_work(graph); });
    run("token_histograms", true, [&] { count_tokens(view, insights); });
    run("flame_graph", has_graph, [&] { insights.flame = make_flame_graph(graph); });
    run("load_curve", true, [&] { insights.load = make_load_curve(compute_call_timeline(view), settings.spike_threshold); });
    run("chosen_sessions", has_path, [&] { insights.chosen_sessions = choose_sessions(graph, insights.critical_path, settings.session); });
    return insights;
}

json::object to_json(const Insights& insights) {
    json::object out = {{"llm_timing", to_json(insights.llm_timing)},
                        {"critical_path", to_json(insights.critical_path)},
                        {"what_if", to_json(insights.what_if)},
                        {"error_cost", to_json(insights.error_cost)},
                        {"cold_start", to_json(insights.cold_start)},
                        {"variation", to_json(insights.variation)},
                        {"wasted_work", to_json(insights.wasted_work)},
                        {"token_histograms",
                         {{"prompt_tokens", to_json(insights.prompt_tokens)}, {"completion_tokens", to_json(insights.completion_tokens)}}}};
    if (insights.token_cost) out["token_cost"] = to_json(*insights.token_cost);
    return out;
}

}  // namespace plimsoll::profile
