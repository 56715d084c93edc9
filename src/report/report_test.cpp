#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/html_report.h"
#include "report/markdown.h"

namespace plimsoll::report {
namespace {

using testing::HasSubstr;
using testing::Not;

event::Span make_span(std::string id, std::string parent, event::Category category, double start, double end) {
    event::Span span;
    span.uuid = std::move(id);
    span.parent_id = std::move(parent);
    span.name = span.uuid;
    span.category = category;
    span.start = start;
    span.end = end;
    return span;
}

TEST(Waterfall, NestsParallelCallsByParent) {
    const std::vector<event::Span> spans = {
        make_span("w", "root", event::Category::workflow, 0, 10), make_span("a", "w", event::Category::tool, 1, 5),
        make_span("b", "w", event::Category::tool, 2, 6), make_span("c", "a", event::Category::llm, 3, 4)};
    const auto bars = make_bars(spans);
    std::vector<std::pair<std::string, int>> seen;
    for (const Bar& bar : bars) seen.emplace_back(bar.name, bar.depth);
    EXPECT_THAT(seen, testing::ElementsAre(std::pair("w", 0), std::pair("a", 1), std::pair("c", 2), std::pair("b", 1)));
}

TEST(Waterfall, OrphansAndSelfParentsAreTops) {
    const std::vector<event::Span> spans = {make_span("a", "gone", event::Category::tool, 0, 1),
                                            make_span("b", "b", event::Category::tool, 0, 1)};
    EXPECT_EQ(make_bars(spans).size(), 2u);
}

TEST(Waterfall, DrawsNothingAndTooMuch) {
    EXPECT_THAT(*draw_waterfall_svg({}), HasSubstr("<svg"));
    EXPECT_THAT(*draw_gantt_png({}), testing::StartsWith("\x89PNG"));
    std::vector<Bar> many(1000, Bar{event::Category::llm, "m", 0, 1});
    EXPECT_THAT(*draw_waterfall_svg(many), HasSubstr("880 more calls not drawn"));
    EXPECT_THAT(*draw_gantt_png(many), testing::StartsWith("\x89PNG"));
}

TEST(Plot, TicksAreRoundAndCoverTheData) {
    EXPECT_THAT(nice_ticks(0, 9.3, 5), testing::ElementsAre(0, 2, 4, 6, 8, 10));
    EXPECT_THAT(nice_ticks(0, 0.07, 7), testing::Each(testing::Ge(0)));
    EXPECT_EQ(format_short(0.000125), "0.000125");
    EXPECT_EQ(format_short(1234.5), "1234");
    EXPECT_EQ(format_duration(0.0123), "12.3 ms");
    EXPECT_EQ(format_duration(200), "3 min 20 s");
}

TEST(Plot, SurvivesConstantAndEmptyData) {
    Plot plot{.title = "t", .x_title = "x", .y_title = "y"};
    auto canvas = make_svg_canvas(100, 100, "t");
    plot.draw(*canvas, {0, 0}, 100, 100);
    plot.series.push_back({.label = "s", .points = {{1, 5}, {1, 5}, {2, std::numeric_limits<double>::quiet_NaN()}}});
    plot.draw(*canvas, {0, 0}, 100, 100);
    EXPECT_THAT(*canvas->finish(), Not(HasSubstr("nan")));
}

TEST(SizingPlots, AnalysisNeedsAFit) {
    MetricView metric{.name = "p95 (s)", .points = {{1, 2}, {2, 3}}};
    EXPECT_EQ(draw_analysis_png({metric}).error().code, ErrorCode::not_found);
    metric.fit = FitView{1, 1, 1, {2}};
    EXPECT_THAT(*draw_analysis_png({metric}), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(*draw_simple_png({metric}), testing::StartsWith("\x89PNG"));
}

TEST(Html, EscapesWhatCameFromOutside) {
    ReportView view;
    view.title = "<script>alert(1)</script>";
    view.session = SessionView{"<b>q</b>", {Bar{event::Category::llm, "\"><img src=x>", 0, 1}}, "# <i>x</i>\n\n<script>"};
    const std::string html = render_html(view);
    EXPECT_THAT(html, Not(HasSubstr("<script")));
    EXPECT_THAT(html, Not(HasSubstr("<img")));
    EXPECT_THAT(html, Not(HasSubstr("<i>x")));
    EXPECT_THAT(html, Not(HasSubstr("http://localhost")));
}

TEST(Markdown, RendersTheReportsShape) {
    EXPECT_EQ(markdown_to_html("# T\n\none\ntwo\n\n> \"q\" [1]\n\n- a\n- b\n\n[1] x\n[2] y\n---"),
              "<h1>T</h1>\n<p>one\ntwo</p>\n<blockquote>&quot;q&quot; [1]</blockquote>\n<ul><li>a</li>\n<li>b</li>\n</ul>\n<p>[1] x</p>\n"
              "<p>[2] y</p>\n<hr>\n");
}

TEST(Text, ShortenKeepsWholeCharacters) {
    EXPECT_EQ(shorten("abc", 3), "abc");
    EXPECT_EQ(shorten("äöüß", 3), "äö…");
}

}  // namespace
}  // namespace plimsoll::report
