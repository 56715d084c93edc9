// The page as a whole: what it shows of runs of every size, and that nothing from outside becomes markup.
#include "report/html_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "report/flame_chart.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::size_t kMaxPageBytes = 3'000'000;

event::Step make_step(event::Category category, event::Phase phase, double time, const std::string& uuid, const std::string& parent,
                      const std::string& name) {
    event::Step step;
    step.parent_id = parent;
    step.payload.event_type = {category, phase};
    step.payload.event_timestamp = time;
    step.payload.uuid = uuid;
    step.payload.name = name;
    if (phase == event::Phase::end && category == event::Category::llm)
        step.payload.usage_info =
            event::UsageInfo{.token_usage = {.prompt_tokens = 100 + static_cast<std::int64_t>(time) % 50, .completion_tokens = 20}};
    return step;
}

// A plan, `width` parallel searches, and an answer that waits for them.
event::SessionTrace make_session(std::size_t number, std::size_t width, const std::string& name = "model") {
    using enum event::Category;
    using enum event::Phase;
    const double t = static_cast<double>(number / 16) * 9 + static_cast<double>(number % 16) * 0.1;
    const double pace = 1 + 0.1 * static_cast<double>(number % 7);
    event::SessionTrace session;
    const auto call = [&](event::Category category, const std::string& uuid, const std::string& parent, const std::string& label,
                          double from, double to) {
        session.steps.push_back(make_step(category, start, t + from * pace, uuid, parent, label));
        session.steps.push_back(make_step(category, end, t + to * pace, uuid, parent, label));
    };
    call(workflow, "w", "root", "wf", 0, 5);
    call(llm, "plan", "w", name, 0, 2);
    for (std::size_t i = 0; i < width; ++i)
        call(tool, fmt::format("s{}", i), "w", "search", 2, 2.5 + 0.5 * static_cast<double>(i) / static_cast<double>(width));
    call(llm, "answer", "w", name, 3, 5);
    std::ranges::stable_sort(session.steps, {}, [](const event::Step& step) { return step.payload.event_timestamp; });
    return session;
}

std::string render(std::vector<event::SessionTrace> sessions, const profile::PriceTable& prices = {}) {
    ReportView view{.title = "Report", .headline = "A run"};
    profile::ProfilerConfig config;
    config.base_metrics = true;
    add_profile(view, profile::profile({.sessions = std::move(sessions), .skipped = {}, .prices = prices, .session = {}}, config));
    return render_html(view);
}

std::vector<event::SessionTrace> make_run(std::size_t sessions, std::size_t width) {
    std::vector<event::SessionTrace> run;
    for (std::size_t i = 0; i < sessions; ++i) run.push_back(make_session(i, width));
    return run;
}

TEST(HtmlReportTest, AProfiledRunHasEverySection) {
    const std::string html = render(make_run(20, 3), {{"model", {1, 2, 1}}});
    for (const char* id :
         {"findings", "sessions", "flame", "path", "what-if", "steps", "timing", "load", "tokens", "failures", "variation"})
        EXPECT_THAT(html, HasSubstr(fmt::format("<section id=\"{}\">", id)));
    EXPECT_THAT(html, HasSubstr("price table"));
    EXPECT_THAT(html, HasSubstr("Its end waited for"));
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("nan")));
}

TEST(HtmlReportTest, WithoutPricesNoCostIsPrinted) { EXPECT_THAT(render(make_run(3, 1)), Not(HasSubstr("price table"))); }

TEST(HtmlReportTest, RunsWithOneSessionWithoutCallsAndWithoutSessions) {
    EXPECT_THAT(render(make_run(1, 1)), HasSubstr("median and p95 and slowest"));
    EXPECT_THAT(render({event::SessionTrace{}}), Not(HasSubstr("<section id=\"sessions\">")));
    EXPECT_THAT(render({}), HasSubstr("</html>"));
    event::SessionTrace tools_only = make_session(0, 2);
    std::erase_if(tools_only.steps, [](const event::Step& step) { return step.payload.event_type.category == event::Category::llm; });
    const std::string html = render({tools_only});
    EXPECT_THAT(html, HasSubstr("<section id=\"path\">"));
    EXPECT_THAT(html, Not(HasSubstr("<section id=\"tokens\">")));
}

TEST(HtmlReportTest, StaysSmallHoweverLargeTheRun) {
    EXPECT_LT(render(make_run(150, 10)).size(), kMaxPageBytes);
    EXPECT_LT(render(make_run(2, 2000)).size(), kMaxPageBytes);
    std::vector<event::SessionTrace> many_names;
    for (std::size_t i = 0; i < 100; ++i) many_names.push_back(make_session(i, 2, fmt::format("model-{}-{}", i, std::string(200, 'x'))));
    const std::string html = render(std::move(many_names));
    EXPECT_LT(html.size(), kMaxPageBytes);
    EXPECT_THAT(html, HasSubstr("more rows not shown"));
}

TEST(HtmlReportTest, AFailedAnalysisIsSaidInItsSection) {
    ReportView view{.title = "Report", .headline = "A run"};
    profile::ProfileResult profile = profile::profile({.sessions = make_run(20, 3), .skipped = {}, .prices = {}, .session = {}}, {});
    profile.failures.emplace_back("what_if", Error{ErrorCode::limit, "too <many> calls"});
    profile.failures.emplace_back("cold_start", Error{ErrorCode::internal, "no start"});
    add_profile(view, std::move(profile));
    const std::string html = render_html(view);
    EXPECT_THAT(html, HasSubstr("<section id=\"what-if\"><h2>What if a step were faster?</h2>\n"
                                "<p class=\"note\">what_if was not finished: too &lt;many&gt; calls</p>"));
    EXPECT_THAT(html, HasSubstr("cold_start was not finished: no start"));
    EXPECT_THAT(html, HasSubstr("Coefficient of variation"));
    EXPECT_THAT(html, Not(HasSubstr("a cold start is not looked for")));
}

TEST(HtmlReportTest, WhatWasSkippedIsListed) {
    ReportView view{.title = "Report", .headline = "A run"};
    add_profile(view, profile::profile({.sessions = make_run(2, 1), .skipped = {}, .prices = {}, .session = {}}, {}));
    EXPECT_THAT(render_html(view), Not(HasSubstr("<section id=\"skipped\">")));
    for (int line = 1; line <= 5; ++line) view.skipped.add("damaged line", fmt::format("a<b.jsonl: line {}", line));
    view.profile->orphan_steps = 7;
    const std::string html = render_html(view);
    EXPECT_THAT(html, HasSubstr("<td class=\"t\">damaged line</td><td class=\"t\">a&lt;b.jsonl: line 1; a&lt;b.jsonl: line 2; "
                                "a&lt;b.jsonl: line 3; …</td><td>5</td>"));
    EXPECT_THAT(html, HasSubstr("step without its START</td><td class=\"t\"></td><td>7</td>"));
}

TEST(HtmlReportTest, EscapesWhatCameFromOutside) {
    const std::string hostile = "\"><img src=x><script>alert(1)</script>";
    ReportView view{.title = hostile, .headline = hostile};
    add_profile(view, profile::profile(
                          {.sessions = {make_session(0, 1, hostile)}, .skipped = {}, .prices = {{hostile, {1, 1, 1}}}, .session = {}}, {}));
    view.session_texts[0] = {hostile, "# <i>x</i>\n\n" + hostile};
    view.profile->prefix_tree = profile::PrefixNode{hostile, 3, {{hostile, 2, {}}}};
    const std::string html = render_html(view);
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("<img")));
    EXPECT_THAT(html, Not(HasSubstr("<i>x")));
}

TEST(FlameChartTest, ParallelCallsGetLanesOfTheirOwn) {
    profile::ChosenSession session{.label = "median", .session = 0, .runtime = 4, .bars = {}};
    using enum event::Category;
    session.bars = {{workflow, "w", 0, 4, 0}, {tool, "a", 0, 3, 1}, {llm, "m", 1, 2, 2}, {tool, "b", 1, 4, 1}, {tool, "c", 3, 4, 1}};
    std::map<std::string, std::size_t> rows;
    for (const FlameBox& box : make_session_chart(session).boxes) rows[box.label] = box.row;
    EXPECT_EQ(rows, (std::map<std::string, std::size_t>{{"w", 0}, {"a", 1}, {"m", 2}, {"b", 3}, {"c", 1}}));
}

TEST(FlameChartTest, DrawsTheWidestBoxesAndCountsTheRest) {
    FlameChart chart{.title = "t", .x_title = {}, .boxes = {}};
    for (std::size_t i = 0; i < 3 * kMaxFlameBoxes; ++i)
        chart.boxes.push_back({.from = 0, .to = 1, .row = i % 40, .label = "x", .tooltip = {}});
    chart.boxes.push_back({.from = 0, .to = 1e-5, .row = 0, .label = {}, .tooltip = {}});
    EXPECT_THAT(draw_flame_svg(chart), HasSubstr(fmt::format("{} boxes too narrow or too deep", 2 * kMaxFlameBoxes + 1)));
    EXPECT_EQ(draw_flame_svg({}), "");
}

TEST(TableTest, LeavesOutColumnsWithoutAnEntry) {
    EXPECT_EQ(table_html({.head = {"Step", "First token", "Calls"}, .rows = {{"a", "", "1"}, {"b", "", ""}}}),
              "<div class=\"scroll\"><table><thead><tr><th class=\"t\">Step</th><th>Calls</th></tr></thead><tbody>\n"
              "<tr><td class=\"t\">a</td><td>1</td></tr>\n<tr><td class=\"t\">b</td><td></td></tr>\n</tbody></table></div>\n");
}

TEST(PrefixesTest, WidthIsTheShareOfPrompts) {
    const std::string html = prefixes_html({"You are", 4, {{"a planner", 3, {}}, {"a writer", 1, {}}}});
    EXPECT_THAT(html, HasSubstr("3 prompts: a planner"));
    EXPECT_THAT(html, HasSubstr("width=\"809.4\""));
    EXPECT_EQ(prefixes_html({}), "");
}

}  // namespace
}  // namespace plimsoll::report
