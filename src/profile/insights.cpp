#include "profile/insights.h"

#include <fmt/format.h>

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
    // An analysis whose ground is missing has failed too.
    const auto run = [&](std::string_view name, std::string_view needed, const std::function<void()>& body) {
        runner.run(name, true, [&]() -> Result<void> {
            if (runner.find_failure(needed)) return fail(ErrorCode::internal, fmt::format("needs {}, which failed", needed));
            body();
            return {};
        });
    };
    constexpr std::string_view kNothing, kGraph = "run_graph", kPath = "critical_path";
    run(kGraph, kNothing, [&] { graph = make_run_graph(view); });
    run(kPath, kGraph, [&] { insights.critical_path = compute_critical_paths(graph); });
    run("llm_timing", kNothing, [&] { insights.llm_timing = compute_llm_timings(view); });
    run("what_if", kGraph, [&] { insights.what_if = compute_what_if(graph); });
    run("error_cost", kGraph, [&] { insights.error_cost = compute_error_cost(view, graph); });
    if (!settings.prices.empty()) run("token_cost", kNothing, [&] { insights.token_cost = compute_token_cost(view, settings.prices); });
    run("cold_start", kGraph, [&] { insights.cold_start = detect_cold_start(graph); });
    run("variation", kPath, [&] { insights.variation = compute_variation(graph, insights.critical_path); });
    run("wasted_work", kGraph, [&] { insights.wasted_work = compute_wasted_work(graph); });
    run("token_histograms", kNothing, [&] { count_tokens(view, insights); });
    run("flame_graph", kGraph, [&] { insights.flame = make_flame_graph(graph); });
    run("load_curve", kNothing, [&] { insights.load = make_load_curve(compute_call_timeline(view), settings.spike_threshold); });
    run("chosen_sessions", kPath, [&] { insights.chosen_sessions = choose_sessions(graph, insights.critical_path, settings.session); });
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
