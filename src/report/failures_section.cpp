#include <fmt/format.h>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

std::string errors_html(const profile::ErrorCost& errors) {
    if (errors.steps.empty()) return "<p>No call failed and none was repeated.</p>\n";
    TableView table{.head = {"Step", "Calls", "Failed", "Own time of these", "Tokens", "Retried", "Extra attempts", "Time of these"}};
    for (const profile::ErrorCostRow& row : errors.steps)
        table.rows.push_back({to_string(row.step), fmt::format("{}", row.calls), fmt::format("{}", row.failed),
                              format_duration(row.failed_seconds), fmt::format("{}", row.failed_tokens), fmt::format("{}", row.retried),
                              fmt::format("{}", row.extra_attempts), format_duration(row.retried_seconds)});
    std::string out = table_html(table);
    if (errors.failed_sessions > 0) out += paragraph_html(fmt::format("{} sessions failed.", errors.failed_sessions));
    return out;
}

std::string waste_html(const profile::WastedWork& waste) {
    if (waste.rows.empty()) return "<p>No branch was cancelled, left without an end, or outlived its caller.</p>\n";
    TableView table{.head = {"Branch", "Why", "Branches", "LLM calls", "Time", "Tokens"}, .text_columns = 2};
    for (const profile::WasteRow& row : waste.rows)
        table.rows.push_back({to_string(row.step), std::string(to_string(row.why)), fmt::format("{}", row.branches),
                              fmt::format("{}", row.llm_calls), format_duration(row.seconds), fmt::format("{}", row.tokens)});
    return table_html(table) + paragraph_html(fmt::format("{} of all tokens.", format_percent(waste.token_share)));
}

}  // namespace

std::string failures_section(const profile::ErrorCost& errors, const profile::WastedWork& waste) {
    return section_html(
        "failures", "Failures and waste",
        "<h3>Failed and repeated calls</h3>\n" + errors_html(errors) + "<h3>Work whose result nobody used</h3>\n" + waste_html(waste));
}

}  // namespace plimsoll::report
