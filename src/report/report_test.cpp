#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "forecast/leg_runs.h"
#include "report/forecast_plots.h"
#include "report/load_plots.h"
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
        "at_s,machine_busy,psi_memory_some,cgroup_quota_cores,cgroup_throttled_share,self_cores,self_run_queue,self_rss_mb,"
        "agent-7_cores,agent-7_rss_mb,server_running,gpu0_utilization,gpu0_memory_used_mb\n"
        "1.0,0.5,0,2,0.1,1.5,0.2,100,0.3,20,,,\n2.0,0.6,0,2,0.2,1.6,0.2,101,,,,,\n3.0,0.6,0,2,0.2,1.6,0.2,101,0.5,21,,,\n");
    const auto labels = [](std::string_view csv) {
        std::vector<std::string> out;
        for (const Plot& plot : make_machine_plots(csv).value())
            for (const Series& series : plot.series) out.push_back(series.label);
        return out;
    };
    EXPECT_THAT(labels("at_s,server_running,server1_running\n1,2,2\n2,3,3\n"), testing::ElementsAre("server running"));
    EXPECT_THAT(labels("at_s,server_running,server1_running,server2_running\n1,4,2,2\n2,6,3,3\n"),
                testing::ElementsAre("server running", "server1 running", "server2 running"));
    ASSERT_TRUE(plots.has_value());
    std::vector<std::string> said;
    for (const Plot& plot : *plots)
        for (const Series& series : plot.series) said.push_back(plot.title + ": " + series.label);
    EXPECT_THAT(said, testing::ElementsAre("Processor: limit of the control group", "Processor: self", "Processor: agent-7",
                                           "Waiting and throttling: machine busy", "Waiting and throttling: periods throttled",
                                           "Waiting and throttling: self in the run queue", "Memory: self", "Memory: agent-7"));
    EXPECT_EQ(plots->front().series[2].points.size(), 2u);
    EXPECT_EQ(make_machine_plots("a,b\n1,2\n").error().code, ErrorCode::parse);
    EXPECT_EQ(make_machine_plots("").error().code, ErrorCode::parse);
}

TEST(MachinePlots, MemoryPressureAndPower) {
    const auto plots = make_machine_plots(
        "at_s,psi_io_some,cgroup_memory_mb,cgroup_memory_limit_mb,gpu0_power_w,gpu1_power_w\n"
        "1,0,10,100,300,200\n2,0.4,20,100,310,210\n");
    ASSERT_TRUE(plots.has_value());
    std::vector<std::string> titles;
    for (const Plot& plot : *plots) titles.push_back(plot.title + std::to_string(plot.series.size()));
    EXPECT_THAT(titles, testing::ElementsAre("Waiting for memory and disks1", "Memory2", "GPU power2"));
    EXPECT_TRUE(plots->at(1).series[1].dashed);
}

TEST(MachinePlots, ALongRunKeepsItsPeaks) {
    std::string csv = "at_s,self_cores\n";
    for (int i = 0; i < 10'000; ++i) csv += fmt::format("{},{}\n", i, i == 4321 ? 7 : 1);
    const auto plots = make_machine_plots(csv);
    const auto& points = plots->front().series.front().points;
    EXPECT_LE(points.size(), kMaxMachinePoints);
    EXPECT_EQ(std::ranges::max(points, {}, &Point::y).y, 7);
    csv = "at_s";
    for (int i = 0; i < 20; ++i) csv += fmt::format(",agent-{}_cores", i);
    csv += "\n1" + std::string(",1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1") + "\n";
    EXPECT_EQ(make_machine_plots(csv)->front().series.size(), kMaxMachineSeries);
    EXPECT_THAT(make_machine_plots(csv)->front().title, HasSubstr("12 more not drawn"));
}

forecast::RunMeasurement measured(int concurrency, double seconds) {
    forecast::RunMeasurement run{.concurrency = concurrency, .total_runtime = seconds};
    for (int i = 0; i < 4; ++i)
        run.sessions.push_back(
            {.id = std::to_string(i), .runtime = seconds + i, .llm_latency = 1, .call_latencies = {1, 0.5}, .scores = {{"quality", 0.5}}});
    run.llm_latency_p95 = 1;
    run.workflow_runtime_p95 = seconds;
    run.completion_tokens = 10;
    return run;
}

std::vector<std::string> names_of(const std::vector<Picture>& pictures) {
    std::vector<std::string> names;
    for (const Picture& picture : pictures) names.push_back(picture.name);
    return names;
}

std::vector<std::string> labels_of(const Plot& plot) {
    std::vector<std::string> labels;
    for (const Series& series : plot.series) labels.push_back(series.label);
    return labels;
}

TEST(LoadPlots, LeaveOutTheLatencyOfSecondsWithoutAnswers) {
    const auto plots = make_load_plots(
        "second,sessions_started,calls_ended,calls_failed,tokens,calls_open,latency_p50_s,latency_p95_s\n"
        "0,1,0,0,0,1,0.000000,0.000000\n1,0,2,0,9,1,0.5,0.7\n2,0,1,1,0,0,0.000000,0.000000\n3,1,1,0,5,0,0.6,0.8\n");
    ASSERT_TRUE(plots.has_value());
    ASSERT_EQ(plots->size(), 2u);
    EXPECT_EQ(plots->at(0).series.at(1).points.size(), 2u);
    EXPECT_EQ(plots->at(0).series.at(1).points.at(1).y, 0.8);
    EXPECT_EQ(plots->at(1).series.at(2).points.size(), 4u);
    EXPECT_EQ(make_load_plots("second,calls_ended,calls_failed\n0,1,0\n").error().code, ErrorCode::parse);
    EXPECT_EQ(make_load_plots("").error().code, ErrorCode::parse);
}

TEST(SizingPlots, AllOfThemWithAFitAndWithoutOne) {
    using testing::ElementsAre;
    const auto legs = forecast::pool_legs({measured(1, 10), measured(2, 20), measured(4, 40), measured(8, 80)});
    auto result = forecast::compute_sizing({.legs = legs, .targets = {.workflow_runtime = 30, .users = 100}, .gpus = 1});
    auto pictures = make_sizing_pictures(result);
    EXPECT_THAT(names_of(pictures), ElementsAre("concurrency_vs_p95_simple", "concurrency_vs_p95_analysis", "percentiles_over_users",
                                                "throughput_over_users", "scores_over_users"));
    EXPECT_THAT(labels_of(pictures[1].plots[1]), ElementsAre(HasSubstr("R²"), "measured", "target 30 s"));
    EXPECT_THAT(labels_of(pictures[2].plots[1]), ElementsAre("p50", "p95", "p99"));
    EXPECT_LT(pictures[2].plots[1].series[0].error_bars[0].low, pictures[2].plots[1].series[0].error_bars[0].high);
    EXPECT_THAT(labels_of(pictures[3].plots[0]), ElementsAre("measured", "knee at 1"));

    result = forecast::compute_sizing({.legs = {legs[0]}});  // one level: no line, and the points are drawn all the same
    pictures = make_sizing_pictures(result);
    EXPECT_FALSE(result.workflow_runtime.fit);
    EXPECT_THAT(labels_of(pictures[1].plots[1]), ElementsAre("measured"));
    for (const Picture& picture : pictures) {
        EXPECT_THAT(*draw_svg(picture), Not(HasSubstr("nan"))) << picture.name;
        EXPECT_THAT(*draw_png(picture), testing::StartsWith("\x89PNG")) << picture.name;
    }
    EXPECT_TRUE(make_sizing_pictures({}).empty());
    EXPECT_THAT(names_of(make_sizing_pictures(forecast::compute_sizing(
                    {.legs = {{.concurrency = 1, .llm_latency_p95 = 1, .workflow_runtime_p95 = 2, .total_runtime = 9, .sessions = 2}}}))),
                ElementsAre("concurrency_vs_p95_simple", "concurrency_vs_p95_analysis", "throughput_over_users"));  // a file of NAT's
}

TEST(ForecastPlots, OnlyWhatThereIs) {
    using testing::ElementsAre;
    ForecastCurves curves;
    EXPECT_TRUE(make_forecast_pictures(curves).empty());
    curves.levels = {{1, 10, 11}, {2, 12, {}}};
    EXPECT_THAT(names_of(make_forecast_pictures(curves)), ElementsAre("forecast_over_users", "predicted_vs_measured"));
    curves.forecasts = {{64, 100, 90, 120, 0.5, 3}};
    curves.held_out = {2, 12, 13};
    curves.target = 60;
    curves.sweep = {.users = 64, .target = 60, .points = {{100, 1}, {50, 2}}};
    const auto pictures = make_forecast_pictures(curves);
    EXPECT_THAT(names_of(pictures), ElementsAre("forecast_over_users", "forecast_throughput", "predicted_vs_measured",
                                                "replicas_over_users", "replicas_over_slo"));
    EXPECT_THAT(labels_of(pictures[2].plots[0]), ElementsAre("equal", "fitted levels", "held out"));
    EXPECT_THAT(pictures[2].plots[0].series[2].notes, ElementsAre("2"));
    EXPECT_THAT(labels_of(pictures[4].plots[0]), ElementsAre("upper bound meets the target", "target"));
    for (const Picture& picture : pictures) EXPECT_THAT(*draw_svg(picture), Not(HasSubstr("nan"))) << picture.name;
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
