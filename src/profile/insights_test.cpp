// What the pictures are drawn from, and all insights together on empty, recorded and many sessions.
#include "profile/insights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::IsEmpty;

event::SessionTrace parallel_session(double start, double seconds) {
    return make_session(join_calls(
        {make_call("WORKFLOW", "w", start, start + seconds, "wf"), make_call("TOOL", "a", start, start + seconds, "search", "w"),
         make_call("TOOL", "b", start, start + seconds, "search", "w"), make_call("LLM", "m", start, start + seconds / 2, "m", "b")}));
}

Insights compute(const std::vector<event::SessionTrace>& sessions, AnalysisRunner& runner, std::optional<std::size_t> session = {}) {
    return compute_insights(make_run_graph(sessions), {.prices = {}, .spike_threshold = {}, .session = session}, runner);
}

TEST(FlameGraphTest, ParallelChildrenFitUnderTheirCaller) {
    AnalysisRunner runner;
    const FlameGraph flame = compute({parallel_session(0, 2), parallel_session(5, 4)}, runner).flame;
    ASSERT_EQ(flame.nodes.size(), 3u);
    EXPECT_DOUBLE_EQ(flame.seconds, 12);  // two tools of 2 and two of 4 seconds
    EXPECT_EQ(flame.nodes[1].name, "search");
    EXPECT_EQ(flame.nodes[1].calls, 4u);
    EXPECT_DOUBLE_EQ(flame.nodes[1].seconds, 12);
    EXPECT_DOUBLE_EQ(flame.nodes[1].self_seconds, 9);
    EXPECT_DOUBLE_EQ(flame.nodes[2].seconds, 3);
    EXPECT_EQ(flame.nodes[2].parent, 1u);
}

TEST(FlameGraphTest, DeepNestingIsCutAndCounted) {
    std::vector<std::vector<StepSpec>> calls;
    for (int i = 0; i < 100; ++i)
        calls.push_back(make_call("FUNCTION", std::to_string(i), i, 200 - i, "f", i == 0 ? "root" : std::to_string(i - 1)));
    AnalysisRunner runner;
    const FlameGraph flame = compute({make_session(join_calls(calls))}, runner).flame;
    EXPECT_EQ(flame.nodes.size(), static_cast<std::size_t>(kMaxFlameDepth));
    EXPECT_EQ(flame.left_out, 100u - kMaxFlameDepth);
}

TEST(LoadCurveTest, BinsKeepMeanAndHighestAndMarkSpikes) {
    const std::vector<Segment> timeline = {{0, 499, 1}, {499, 499.5, 3}, {499.5, 500, 0}};
    const LoadCurve curve = make_load_curve(timeline, std::nullopt);
    ASSERT_EQ(curve.bins.size(), 500u);
    EXPECT_EQ(curve.spike_level, 2);
    EXPECT_DOUBLE_EQ(curve.spike_seconds, 0.5);
    EXPECT_NEAR(curve.bins[0].mean, 1, 1e-9);
    EXPECT_FALSE(curve.bins[0].spike);
    EXPECT_NEAR(curve.bins[499].mean, 1.5, 1e-9);
    EXPECT_EQ(curve.bins[499].max, 3);
    EXPECT_TRUE(curve.bins[499].spike);
    EXPECT_TRUE(make_load_curve(timeline, 1).bins[0].spike);
    EXPECT_THAT(make_load_curve({}, std::nullopt).bins, IsEmpty());
}

TEST(ChosenSessionsTest, MedianP95AndSlowest) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 101; ++i) sessions.push_back(parallel_session(1000.0 * i, 1 + (i * 37) % 101));
    AnalysisRunner runner;
    const auto chosen = compute(sessions, runner).chosen_sessions;
    ASSERT_EQ(chosen.size(), 3u);
    EXPECT_EQ(chosen[0].label, "median");
    EXPECT_DOUBLE_EQ(chosen[0].runtime, 51);
    EXPECT_DOUBLE_EQ(chosen[1].runtime, 96);
    EXPECT_DOUBLE_EQ(chosen[2].runtime, 101);
    ASSERT_EQ(chosen[2].bars.size(), 4u);
    EXPECT_DOUBLE_EQ(chosen[2].bars[0].start, 0);
    EXPECT_EQ(chosen[2].bars[0].category, event::Category::workflow);
}

TEST(ChosenSessionsTest, TheOneAskedForComesFirstWhenTheRunHasIt) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 10; ++i) sessions.push_back(parallel_session(1000.0 * i, 1 + i));
    AnalysisRunner runner;
    EXPECT_EQ(compute(sessions, runner, 1).chosen_sessions.front().label, "asked for");
    EXPECT_EQ(compute(sessions, runner, 1).chosen_sessions.front().session, 1u);
    EXPECT_EQ(compute(sessions, runner, 9).chosen_sessions.back().label, "p95 and slowest and asked for");
    EXPECT_EQ(compute(sessions, runner, 10).chosen_sessions.size(), 2u);
}

TEST(ChosenSessionsTest, OneSessionIsAllThree) {
    AnalysisRunner runner;
    const auto chosen = compute({event::SessionTrace{}, parallel_session(0, 1)}, runner).chosen_sessions;
    ASSERT_EQ(chosen.size(), 1u);
    EXPECT_EQ(chosen[0].label, "median and p95 and slowest");
    EXPECT_EQ(chosen[0].session, 1u);
}

TEST(ChosenSessionsTest, TheirCriticalPathIsThereInPiecesAndShares) {
    const auto session =
        make_session(join_calls({make_call("WORKFLOW", "w", 100, 110, "wf"), make_call("LLM", "p", 101, 103, "m", "w"),
                                 make_call("TOOL", "b", 103, 108, "search", "w"), make_call("TOOL", "a", 103, 104, "beside", "w")}));
    AnalysisRunner runner;
    const auto insights = compute({session}, runner);
    const json::value out = to_json(insights.chosen_sessions);
    ASSERT_EQ(out.as_array().size(), 1u);
    EXPECT_EQ(find_difference(json::array{{{"step", "WORKFLOW wf"}, {"uuid", "w"}, {"start", 0.0}, {"end", 1.0}},
                                          {{"step", "LLM m in agent"}, {"uuid", "p"}, {"start", 1.0}, {"end", 3.0}},
                                          {{"step", "TOOL search in agent"}, {"uuid", "b"}, {"start", 3.0}, {"end", 8.0}},
                                          {{"step", "WORKFLOW wf"}, {"uuid", "w"}, {"start", 8.0}, {"end", 10.0}}},
                              out.at_pointer("/0/critical_path/pieces")),
              "");
    EXPECT_EQ(find_difference(json::array{{{"step", "TOOL search in agent"}, {"seconds", 5.0}, {"share", 0.5}},
                                          {{"step", "WORKFLOW wf"}, {"seconds", 3.0}, {"share", 0.3}},
                                          {{"step", "LLM m in agent"}, {"seconds", 2.0}, {"share", 0.2}}},
                              out.at_pointer("/0/critical_path/steps")),
              "");
    EXPECT_EQ(to_json(insights, runner).at("chosen_sessions"), out);
}

TEST(DistributionTest, HistogramCountsEveryValueOnce) {
    EXPECT_THAT(make_histogram({0, 1, 2, 3.99, 4}).counts, testing::ElementsAre(1, 1, 1, 2));
    EXPECT_THAT(make_histogram({1, 2, 3, 4, 5, 6, 7, 8}).counts, testing::ElementsAre(2, 2, 2, 2));
    EXPECT_THAT(make_histogram({8, 9, 10, 8, 9, 10, 8, 9, 10}).counts, testing::ElementsAre(3, 3, 3));
    std::vector<double> many(100'000);
    std::iota(many.begin(), many.end(), 0);
    EXPECT_THAT(make_histogram(many).counts,
                testing::AllOf(testing::SizeIs(kMaxHistogramBins), testing::Each(many.size() / kMaxHistogramBins)));
    EXPECT_THAT(make_histogram({7, 7}).counts, testing::ElementsAre(2));
    EXPECT_THAT(make_histogram({}).counts, IsEmpty());
    EXPECT_TRUE(to_json(make_distribution({})).is_null());
}

TEST(InsightsTest, NothingFailsOnEmptyOrRecordedRuns) {
    std::vector<std::vector<event::SessionTrace>> runs = {{}, {event::SessionTrace{}}};
    for (const char* golden : {"nat/research_8_c1", "nat/parallel_8_c2", "nat/single_8"})
        runs.push_back(load_golden_traces(std::string(golden) + "/out/all_requests_profiler_traces.json"));
    for (const auto& sessions : runs) {
        AnalysisRunner runner;
        const json::object out = to_json(compute(sessions, runner), runner);
        EXPECT_THAT(runner.failures(), IsEmpty());
        EXPECT_TRUE(out.contains("what_if"));
        EXPECT_FALSE(out.contains("token_cost"));
        EXPECT_TRUE(parse_json(json::serialize(out)).has_value());
    }
}

TEST(InsightsTest, AFailedAnalysisIsItsErrorAndNotZeros) {
    AnalysisRunner runner;
    const Insights insights = compute({parallel_session(0, 2)}, runner);
    for (const char* name : {"what_if", "token_cost", "standardized_data"})
        runner.run(name, true, []() -> Result<void> { return fail(ErrorCode::limit, "too much"); });
    const json::object out = to_json(insights, runner);
    const json::value error = {{"error", {{"code", "limit"}, {"message", "too much"}}}};
    EXPECT_EQ(out.at("what_if"), error);
    EXPECT_EQ(out.at("token_cost"), error);
    EXPECT_TRUE(out.at("variation").as_object().contains("runtime"));
    EXPECT_FALSE(out.contains("standardized_data"));  // another file's
}

}  // namespace
}  // namespace plimsoll::profile
