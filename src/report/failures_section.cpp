#include <fmt/format.h>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string failed_calls_html(const profile::ErrorCost& errors) {
    constexpr std::string_view kTitle = "<h3>Failed and repeated calls</h3>\n";
    if (errors.steps.empty()) return fmt::format("{}<p>No call failed and none was repeated.</p>\n", kTitle);
    TableView table{.head = {"Step", "Calls", "Failed", "Own time of these", "Tokens", "Retried", "Extra attempts", "Time of these"}};
    for (const profile::ErrorCostRow& row : errors.steps)
        table.rows.push_back({to_string(row.step), fmt::format("{}", row.calls), fmt::format("{}", row.failed),
                              format_duration(row.failed_seconds), fmt::format("{}", row.failed_tokens), fmt::format("{}", row.retried),
                              fmt::format("{}", row.extra_attempts), format_duration(row.retried_seconds)});
    std::string out = std::string(kTitle) + table_html(table);
    if (errors.failed_sessions > 0) out += paragraph_html(fmt::format("{} sessions failed.", errors.failed_sessions));
    return out;
}

std::string wasted_work_html(const profile::WastedWork& waste) {
    constexpr std::string_view kTitle = "<h3>Work whose result nobody used</h3>\n";
    if (waste.rows.empty()) return fmt::format("{}<p>No branch was cancelled, left without an end, or outlived its caller.</p>\n", kTitle);
    TableView table{.head = {"Branch", "Why", "Branches", "LLM calls", "Time", "Tokens"}, .text_columns = 2};
    for (const profile::WasteRow& row : waste.rows)
        table.rows.push_back({to_string(row.step), std::string(to_string(row.why)), fmt::format("{}", row.branches),
                              fmt::format("{}", row.llm_calls), format_duration(row.seconds), fmt::format("{}", row.tokens)});
    return std::string(kTitle) + table_html(table) + paragraph_html(fmt::format("{} of all tokens.", format_percent(waste.token_share)));
}

}  // namespace plimsoll::report
