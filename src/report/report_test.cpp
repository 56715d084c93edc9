#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/markdown.h"
#include "report/sizing_plots.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Waterfall, DrawsNothingAndTooMuch) {
    EXPECT_THAT(*draw_waterfall_svg({}), HasSubstr("<svg"));
    EXPECT_THAT(*draw_gantt_png({}), testing::StartsWith("\x89PNG"));
    std::vector<Bar> many(1000, Bar{event::Category::llm, "m", 0, 1});
    EXPECT_THAT(*draw_waterfall_svg(many), HasSubstr("880 more calls not drawn"));
    EXPECT_THAT(*draw_gantt_png(many), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(*draw_nat_gantt_png({}), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(*draw_nat_gantt_png(many), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(*draw_nat_gantt_png({{event::Category::function, std::string(500, 'x'), 7, 7}}), testing::StartsWith("\x89PNG"));
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
