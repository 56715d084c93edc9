#include <fmt/format.h>

#include "report/canvas.h"
#include "report/flame_chart.h"
#include "report/markdown.h"
#include "report/plot.h"
#include "report/sections.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

std::vector<Bar> make_bars(const profile::ChosenSession& session) {
    std::vector<Bar> bars;
    bars.reserve(session.bars.size());
    for (const profile::SessionBar& bar : session.bars)
        bars.push_back({bar.category, bar.name, bar.start, bar.end, bar.depth, bar.failed, bar.first_token, bar.on_path});
    return bars;
}

std::string path_shares_html(const profile::ChosenSession& session) {
    TableView table{.head = {"Its end waited for", "Time", "Share"}};
    double outside = session.runtime;
    for (const profile::StepShare& step : session.on_path) {
        table.rows.push_back({step.step, format_duration(step.seconds), format_percent(step.share)});
        outside -= step.seconds;
    }
    constexpr double kWorthShowing = 0.0005;
    if (session.runtime > 0 && outside / session.runtime >= kWorthShowing)
        table.rows.push_back({"outside any call", format_duration(outside), format_percent(outside / session.runtime)});
    return table.rows.empty() ? ""
                              : fmt::format("<details><summary>Critical path, step by step</summary>\n{}</details>\n", table_html(table));
}

std::string session_html(const profile::ChosenSession& session, const SessionText* text) {
    constexpr std::size_t kMaxQuestion = 300;
    std::string out =
        fmt::format("<h3>Session {}, {}: {}</h3>\n", session.session, format_duration(session.runtime), escape_html(session.label));
    if (text && !text->question.empty()) out += paragraph_html(shorten(text->question, kMaxQuestion));
    out += draw_flame_svg(make_session_chart(session));
    if (session.bars_left_out > 0) out += fmt::format("<p class=\"note\">{} more calls not read.</p>\n", session.bars_left_out);
    out += path_shares_html(session);
    out += fmt::format("<details><summary>Waterfall, a line a call</summary>\n{}</details>\n",
                       draw_waterfall_svg(make_bars(session)).value_or(""));
    if (text && !text->answer.empty())
        out += fmt::format("<details><summary>The report it wrote</summary><div class=\"document\">{}</div></details>\n",
                           markdown_to_html(text->answer));
    return out;
}

}  // namespace

std::string sessions_html(const std::vector<profile::ChosenSession>& sessions, const std::map<std::size_t, SessionText>& texts) {
    if (sessions.empty()) return "";
    std::string body = legend_html();
    body += "<p class=\"legend\"><i class=\"path\"></i>on the critical path: what the session's end waited for</p>\n";
    for (const profile::ChosenSession& session : sessions) {
        const auto text = texts.find(session.session);
        body += session_html(session, text == texts.end() ? nullptr : &text->second);
    }
    return body;
}

}  // namespace plimsoll::report
