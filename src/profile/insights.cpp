#include "profile/insights.h"

#include "profile/concurrency_spikes.h"

namespace plimsoll::profile {
namespace {

void count_tokens(const RunGraph& graph, Insights& insights) {
    std::vector<double> prompts, completions;
    for (const Call& call : graph.calls) {
        if (call.category != event::Category::llm) continue;
        const event::TokenUsage& usage = graph.usage_of(call);
        if (usage.prompt_tokens > 0) prompts.push_back(static_cast<double>(usage.prompt_tokens));
        if (usage.completion_tokens > 0) completions.push_back(static_cast<double>(usage.completion_tokens));
    }
    insights.prompt_tokens = make_histogram(prompts);
    insights.completion_tokens = make_histogram(completions);
}

}  // namespace

Insights compute_insights(const RunGraph& graph, const InsightSettings& settings, AnalysisRunner& runner) {
    Insights insights;
    const auto run = [&](std::string_view name, bool on, const std::function<void()>& body) {
        return runner.run(name, on, [&]() -> Result<void> {
            body();
            return {};
        });
    };
    const bool has_path = run("critical_path", true, [&] { insights.critical_path = compute_critical_paths(graph); });
    run("llm_timing", true, [&] { insights.llm_timing = compute_llm_timings(graph); });
    run("what_if", true, [&] { insights.what_if = compute_what_if(graph); });
    run("error_cost", true, [&] { insights.error_cost = compute_error_cost(graph); });
    run("token_cost", !settings.prices.empty(), [&] { insights.token_cost = compute_token_cost(graph, settings.prices); });
    run("cold_start", true, [&] { insights.cold_start = detect_cold_start(graph); });
    run("variation", has_path, [&] { insights.variation = compute_variation(graph, insights.critical_path); });
    run("wasted_work", true, [&] { insights.wasted_work = compute_wasted_work(graph); });
    run("token_histograms", true, [&] { count_tokens(graph, insights); });
    run("flame_graph", true, [&] { insights.flame = make_flame_graph(graph); });
    run("load_curve", true, [&] { insights.load = make_load_curve(compute_call_timeline(graph), settings.spike_threshold); });
    run("chosen_sessions", has_path, [&] { insights.chosen_sessions = choose_sessions(graph, insights.critical_path, settings.session); });
    insights.critical_path.forget_calls();
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
