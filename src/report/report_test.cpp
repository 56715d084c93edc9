#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "report/machine_plots.h"
#include "report/markdown.h"
#include "report/picture.h"
#include "report/sizing_plots.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++found;
    return found;
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

TEST(Plot, ErrorBarsAreInTheRangeAndLabelsInRows) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    Plot plot{.title = "t", .x_title = "x", .y_title = "y"};
    for (const char* label : {"p50", "p95", "p99", "a label that is far too long for the row that the others share, so it gets its own"})
        plot.series.push_back({.label = label, .points = {{1, 5}, {2, 6}}, .error_bars = {{4, 90}, {none, none}}, .notes = {"one", "one"}});
    auto canvas = make_svg_canvas(400, 300, "t");
    plot.draw(*canvas, {0, 0}, 400, 300);
    const std::string svg = *canvas->finish();
    EXPECT_THAT(svg, HasSubstr(">100<"));                    // the scale reaches the end of a bar
    EXPECT_THAT(svg, HasSubstr("one p95: 1, 5 (4 to 90)"));  // a tooltip
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_EQ(count(svg, ">one<"), 2u);  // of the four at each point three would cover another
}

TEST(Picture, IsThereAsBothKindsOfFile) {
    const Plot plot{.title = "t", .x_title = "x", .y_title = "y", .series = {{.label = "s", .points = {{1, 5}}}}};
    const Picture picture{"name", {plot, plot, plot}};
    EXPECT_THAT(*draw_png(picture), testing::StartsWith("\x89PNG"));
    EXPECT_THAT(*draw_svg(picture), HasSubstr("viewBox=\"0 0 1400 900\""));
    EXPECT_EQ(draw_svg({"name", {}}).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(draw_png({"name", {}}).error().code, ErrorCode::invalid_argument);
}

TEST(MachinePlots, EveryWatchedProcessAndOnlyWhatIsThere) {
    const auto plots = make_machine_plots(
        "at_s,machine_busy,cgroup_quota_cores,cgroup_throttled_share,self_cores,self_run_queue,self_rss_mb,pid7_cores,pid7_rss_mb,"
        "server_running,gpu0_utilization,gpu0_memory_used_mb\n"
        "1.0,0.5,2,0.1,1.5,0.2,100,0.3,20,,,\n2.0,0.6,2,0.2,1.6,0.2,101,,,,,\n3.0,0.6,2,0.2,1.6,0.2,101,0.5,21,,,\n");
    ASSERT_TRUE(plots.has_value());
    std::vector<std::string> said;
    for (const Plot& plot : *plots)
        for (const Series& series : plot.series) said.push_back(plot.title + ": " + series.label);
    EXPECT_THAT(said, testing::ElementsAre("Processor: limit of the control group", "Processor: self", "Processor: pid7",
                                           "Waiting and throttling: machine busy", "Waiting and throttling: periods throttled",
                                           "Waiting and throttling: self in the run queue", "Memory: self", "Memory: pid7"));
    EXPECT_EQ(plots->front().series[2].points.size(), 2u);
    EXPECT_EQ(make_machine_plots("a,b\n1,2\n").error().code, ErrorCode::parse);
    EXPECT_EQ(make_machine_plots("").error().code, ErrorCode::parse);
}

TEST(MachinePlots, ALongRunKeepsItsPeaks) {
    std::string csv = "at_s,self_cores\n";
    for (int i = 0; i < 10'000; ++i) csv += fmt::format("{},{}\n", i, i == 4321 ? 7 : 1);
    const auto plots = make_machine_plots(csv);
    const auto& points = plots->front().series.front().points;
    EXPECT_LE(points.size(), kMaxMachinePoints);
    EXPECT_EQ(std::ranges::max(points, {}, &Point::y).y, 7);
    csv = "at_s";
    for (int i = 0; i < 20; ++i) csv += fmt::format(",pid{}_cores", i);
    csv += "\n1" + std::string(",1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1") + "\n";
    EXPECT_EQ(make_machine_plots(csv)->front().series.size(), kMaxMachineSeries);
    EXPECT_THAT(make_machine_plots(csv)->front().title, HasSubstr("12 more not drawn"));
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
