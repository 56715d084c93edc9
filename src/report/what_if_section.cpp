#include <fmt/format.h>

#include <algorithm>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string what_if_html(const profile::WhatIf& what_if) {
    if (what_if.rows.empty()) return "";
    constexpr double kWorthShowing = 0.001;
    TableView table{.head = {"If this step", "were", "p50 session", "saved", "p95 session", "saved"}, .text_columns = 2};
    std::size_t idle = 0;
    for (const profile::WhatIfRow& row : what_if.rows) {
        if (std::max(row.gain_p50, row.gain_p95) < kWorthShowing) {
            ++idle;
            continue;
        }
        table.rows.push_back({to_string(row.step), row.factor == 0 ? "free" : fmt::format("{} × as fast", format_short(1 / row.factor)),
                              format_duration(row.p50), format_percent(row.gain_p50), format_duration(row.p95),
                              format_percent(row.gain_p95)});
    }
    std::string body = paragraph_html(fmt::format(
        "Each session replayed with the step's own time scaled; what waited for it moves up, what ran beside it does not. Recorded: p50 "
        "{}, p95 {} over {} sessions. Effects on a shared model server's load are not in it.",
        format_duration(what_if.p50), format_duration(what_if.p95), what_if.sessions));
    body += table_html(table);
    if (idle > 0)
        body += fmt::format("<p class=\"note\">Not shown, with less than {} saved: {} combination{}.</p>\n", format_percent(kWorthShowing),
                            idle, idle == 1 ? "" : "s");
    if (what_if.steps_left_out > 0)
        body += fmt::format("<p class=\"note\">Not tried, with the least own time: {} step{}.</p>\n", what_if.steps_left_out,
                            what_if.steps_left_out == 1 ? "" : "s");
    return body;
}

}  // namespace plimsoll::report
