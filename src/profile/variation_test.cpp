// Cold start and variation: how sessions of a run differ.
#include "profile/variation.h"

#include <gtest/gtest.h>

#include "profile/cold_start.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

// A workflow with a model call of the given length and half a second of a tool.
event::SessionTrace make_run_session(double start, double llm_seconds) {
    const double end = start + llm_seconds + 0.5;
    return make_session(
        join_calls({make_call("WORKFLOW", "w", start, end, "wf"), make_call("LLM", "m", start, start + llm_seconds, "m", "w"),
                    make_call("TOOL", "t", start + llm_seconds, end, "t", "w")}));
}

RunGraph make_graph(const std::vector<double>& llm_seconds) {
    std::vector<event::SessionTrace> sessions;
    for (std::size_t i = 0; i < llm_seconds.size(); ++i)
        sessions.push_back(make_run_session(100.0 * static_cast<double>(i), llm_seconds[i]));
    return make_run_graph(sessions);
}

ColdStart detect(const std::vector<double>& llm_seconds) { return detect_cold_start(make_graph(llm_seconds)); }

Variation vary(const std::vector<double>& llm_seconds) {
    const RunGraph graph = make_graph(llm_seconds);
    return compute_variation(graph, compute_critical_paths(graph));
}

TEST(ColdStartTest, FindsTheSlowFirstSessions) {
    const ColdStart cold = detect({9.5, 4.5, 1, 1.1, 0.9, 1, 1.05, 0.95, 1, 1.1});
    EXPECT_TRUE(cold.judged);
    EXPECT_EQ(cold.sessions, 2u);
    EXPECT_DOUBLE_EQ(cold.warm_median, 1.5);
    EXPECT_DOUBLE_EQ(cold.cold_mean, 7.5);
    EXPECT_DOUBLE_EQ(cold.extra_seconds, 12);
}

TEST(ColdStartTest, OrderIsByStartNotByPlaceInTheFile) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 9; i >= 0; --i) sessions.push_back(make_run_session(100.0 * i, i == 0 ? 9.5 : 1));
    EXPECT_EQ(detect_cold_start(make_run_graph(sessions)).sessions, 1u);
}

TEST(ColdStartTest, NoiseALateOutlierAndTooFewSessionsAreNone) {
    EXPECT_EQ(detect({1.2, 1, 1.1, 0.9, 1.3, 1, 1.2, 0.8, 1, 1.1}).sessions, 0u);
    EXPECT_EQ(detect({1, 9, 1, 1, 1, 1, 1, 1}).sessions, 0u);
    EXPECT_FALSE(detect({9, 1, 1, 1}).judged);
    EXPECT_FALSE(detect({}).judged);
    EXPECT_TRUE(to_json(detect({})).is_null());
}

TEST(VariationTest, TheStepThatVariesExplainsTheVariance) {
    const Variation variation = vary({1, 2, 3, 4});
    EXPECT_EQ(variation.sessions, 4u);
    EXPECT_DOUBLE_EQ(variation.runtime.mean, 3);
    EXPECT_NEAR(variation.runtime.cv(), 1.118033988749895 / 3, 1e-12);
    EXPECT_EQ(variation.calls.cv(), 0);
    EXPECT_DOUBLE_EQ(variation.llm_calls.mean, 1);
    EXPECT_DOUBLE_EQ(variation.calls.mean, 2);
    ASSERT_EQ(variation.steps.size(), 2u);
    EXPECT_EQ(variation.steps[0].step.name, "m");
    EXPECT_NEAR(variation.steps[0].share, 1, 1e-9);
    EXPECT_NEAR(variation.steps[1].share, 0, 1e-9);
}

TEST(VariationTest, SharesAddUpToOne) {
    const std::vector<event::SessionTrace> sessions = load_golden_traces("nat/research_8_c1/out/all_requests_profiler_traces.json");
    const RunGraph graph = make_run_graph(sessions);
    const CriticalPaths paths = compute_critical_paths(graph);
    double total = 0;
    for (const StepVariance& step : compute_variation(graph, paths).steps) total += step.share;
    EXPECT_NEAR(total, 1, 0.01);
}

TEST(VariationTest, EqualAndMissingSessionsExplainNothing) {
    EXPECT_TRUE(vary({1, 1, 1}).steps.empty());
    EXPECT_EQ(vary({1, 1, 1}).runtime.cv(), 0);
    EXPECT_EQ(vary({}).sessions, 0u);
    EXPECT_EQ(vary({}).runtime.cv(), 0);
}

}  // namespace
}  // namespace plimsoll::profile
