#include <fmt/format.h>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string cold_start_html(const profile::ColdStart& cold) {
    std::string text;
    if (!cold.judged)
        text = fmt::format("Fewer than {} sessions: a cold start is not looked for.", profile::kMinColdStartSessions);
    else if (cold.sessions == 0)
        text = fmt::format(
            "No cold start: the first session stayed below {}, which is the warm median of {} plus three robust "
            "standard deviations, and at least 20 %.",
            format_duration(cold.slow_above), format_duration(cold.warm_median));
    else
        text = fmt::format(
            "Cold start: the first {} sessions took {} on average, later ones {} at the median; {} in all. Each was above {}, three robust "
            "standard deviations (and at least 20 %) over the median of the second half of the sessions.",
            cold.sessions, format_duration(cold.cold_mean), format_duration(cold.warm_median), format_duration(cold.extra_seconds),
            format_duration(cold.slow_above));
    return "<h3>Cold start</h3>\n" + paragraph_html(text);
}

std::string variation_html(const profile::Variation& variation) {
    if (variation.sessions == 0) return "";
    TableView spread{.head = {"Of a session", "Mean", "Standard deviation", "Coefficient of variation"}};
    const auto add = [&](std::string name, const profile::Spread& of, bool is_time) {
        const auto text = [&](double value) { return is_time ? format_duration(value) : format_short(value); };
        spread.rows.push_back({std::move(name), text(of.mean), text(of.sd), format_percent(of.cv())});
    };
    add("Runtime", variation.runtime, true);
    add("Tokens", variation.tokens, false);
    add("LLM calls", variation.llm_calls, false);
    add("Calls", variation.calls, false);
    std::string body = table_html(spread);
    if (!variation.steps.empty()) {
        TableView steps{.head = {"Step", "Share of the runtime's variance", "Variation of its time on the path"}};
        for (const profile::StepVariance& step : variation.steps)
            steps.rows.push_back({to_string(step.step), format_percent(step.share), format_percent(step.path_cv)});
        body += "<h3>What makes sessions differ</h3>\n" + table_html(steps);
    }
    return body;
}

}  // namespace plimsoll::report
