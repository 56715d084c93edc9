#include "report/html_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "report/canvas.h"

namespace plimsoll::report {

namespace {

bool is_filled(const TableView& table, std::size_t column) {
    return std::ranges::any_of(table.rows, [&](const auto& row) { return column < row.size() && !row[column].empty(); });
}

}  // namespace

std::string table_html(const TableView& table) {
    if (table.rows.empty()) return "";
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < table.head.size(); ++i)
        if (is_filled(table, i)) columns.push_back(i);
    const auto cell = [&](std::string_view element, std::size_t column, const std::string& text) {
        return fmt::format("<{0}{1}>{2}</{0}>", element, column < table.text_columns ? " class=\"t\"" : "", escape_html(text));
    };
    std::string out = "<div class=\"scroll\"><table><thead><tr>";
    for (const std::size_t i : columns) out += cell("th", i, table.head[i]);
    out += "</tr></thead><tbody>\n";
    const std::size_t shown = std::min(table.rows.size(), kMaxTableRows);
    for (const auto& row : std::span(table.rows).first(shown)) {
        out += "<tr>";
        for (const std::size_t i : columns) out += cell("td", i, i < row.size() ? row[i] : "");
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    if (shown < table.rows.size()) out += fmt::format("<p class=\"note\">{} more rows not shown.</p>\n", table.rows.size() - shown);
    return out;
}

std::string paragraph_html(const std::string& text) { return fmt::format("<p>{}</p>\n", escape_html(text)); }

std::string format_percent(double share) {
    const double percent = 100 * share;
    const double size = std::abs(percent);
    if (size < 0.005) return "0 %";
    return fmt::format("{:.{}f} %", percent, size < 0.1 ? 2 : size < 10 ? 1 : 0);
}

}  // namespace plimsoll::report
