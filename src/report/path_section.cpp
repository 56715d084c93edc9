#include <fmt/format.h>

#include <algorithm>

#include "report/sections.h"

namespace plimsoll::report {

std::string path_html(const profile::CriticalPaths& paths) {
    if (paths.steps.empty() || paths.runtime <= 0) return "";
    TableView table{.head = {"Step", "Calls", "On the path", "Share of runtime", "Share of all work"}};
    constexpr double kWorthShowing = 0.0005;
    std::size_t small = 0;
    for (const profile::StepPath& step : paths.steps) {
        if (std::max(step.path_share, step.self_share) < kWorthShowing) {
            ++small;
            continue;
        }
        table.rows.push_back({to_string(step.step), fmt::format("{}", step.calls), fmt::format("{}", step.calls_on_path),
                              format_percent(step.path_share), format_percent(step.self_share)});
    }
    std::string body = paragraph_html(
        "The calls that determined when each session ended. Only a step with a share of the runtime makes sessions shorter when it gets "
        "faster; work beside the path does not.");
    body += table_html(table);
    if (small > 0)
        body += fmt::format("<p class=\"note\">Not shown, with less than {} of both: {} step{}.</p>\n", format_percent(kWorthShowing),
                            small, small == 1 ? "" : "s");
    if (paths.outside_share >= kWorthShowing)
        body += paragraph_html(fmt::format("{} of the runtime is outside any call.", format_percent(paths.outside_share)));
    return body;
}

}  // namespace plimsoll::report
