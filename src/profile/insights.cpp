#include "profile/insights.h"

#include <fmt/format.h>

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
    // An analysis whose ground is missing has failed too.
    const auto run = [&](std::string_view name, std::string_view needed, const std::function<void()>& body) {
        runner.run(name, true, [&]() -> Result<void> {
            if (runner.find_failure(needed)) return fail(ErrorCode::internal, fmt::format("needs {}, which failed", needed));
            body();
            return {};
        });
    };
    constexpr std::string_view kGraph = "run_graph", kPath = "critical_path";
    run(kPath, kGraph, [&] { insights.critical_path = compute_critical_paths(graph); });
    run("llm_timing", kGraph, [&] { insights.llm_timing = compute_llm_timings(graph); });
    run("what_if", kGraph, [&] { insights.what_if = compute_what_if(graph); });
    run("error_cost", kGraph, [&] { insights.error_cost = compute_error_cost(graph); });
    if (!settings.prices.empty()) run("token_cost", kGraph, [&] { insights.token_cost = compute_token_cost(graph, settings.prices); });
    run("cold_start", kGraph, [&] { insights.cold_start = detect_cold_start(graph); });
    run("variation", kPath, [&] { insights.variation = compute_variation(graph, insights.critical_path); });
    run("wasted_work", kGraph, [&] { insights.wasted_work = compute_wasted_work(graph); });
    run("token_histograms", kGraph, [&] { count_tokens(graph, insights); });
    run("flame_graph", kGraph, [&] { insights.flame = make_flame_graph(graph); });
    run("load_curve", kGraph, [&] { insights.load = make_load_curve(compute_call_timeline(graph), settings.spike_threshold); });
    run("chosen_sessions", kPath, [&] { insights.chosen_sessions = choose_sessions(graph, insights.critical_path, settings.session); });
    insights.critical_path.forget_calls();
    return insights;
}

json::object to_json(const Insights& insights, const AnalysisRunner& runner) {
    json::object out = {{"llm_timing", to_json(insights.llm_timing)},
                        {"critical_path", to_json(insights.critical_path)},
                        {"what_if", to_json(insights.what_if)},
                        {"error_cost", to_json(insights.error_cost)},
                        {"cold_start", to_json(insights.cold_start)},
                        {"variation", to_json(insights.variation)},
                        {"wasted_work", to_json(insights.wasted_work)},
                        {"chosen_sessions", to_json(insights.chosen_sessions)},
                        {"token_histograms",
                         {{"prompt_tokens", to_json(insights.prompt_tokens)}, {"completion_tokens", to_json(insights.completion_tokens)}}}};
    if (insights.token_cost) out["token_cost"] = to_json(*insights.token_cost);
    for (const auto& [name, error] : runner.failures())
        if (name == "token_cost" || out.contains(name)) out[name] = runner.in_place_of(name, nullptr);
    return out;
}

}  // namespace plimsoll::profile
