#include "profile/what_if.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;

struct TracedRun {
    explicit TracedRun(const std::vector<event::SessionTrace>& traces) : graph(make_run_graph(traces)) {}

    std::vector<double> replay(const std::string& name, double factor) const {
        std::vector<bool> scaled;
        for (const StepName& step : graph.steps) scaled.push_back(step.name == name);
        return replay_sessions(graph, scaled, factor);
    }

    RunGraph graph;
};

// plan, then two searches in parallel, then a write that waited for both.
std::vector<StepSpec> fork_join_session() {
    return join_calls({make_call("WORKFLOW", "w", 0, 10, "wf"), make_call("LLM", "p", 1, 3, "plan", "w"),
                       make_call("TOOL", "a", 3, 5, "fast", "w"), make_call("TOOL", "b", 3, 6, "slow", "w"),
                       make_call("LLM", "x", 6.5, 9, "write", "w")});
}

TEST(WhatIfTest, FactorOneGivesTheRecordedTimes) {
    for (const char* golden : {"nat/research_8_c1", "nat/parallel_8_c2", "nat/syn_single_50"}) {
        const TracedRun run(load_golden_traces(std::string(golden) + "/out/all_requests_profiler_traces.json"));
        const std::vector<double> replayed = replay_sessions(run.graph, std::vector<bool>(run.graph.steps.size(), true), 1);
        ASSERT_EQ(replayed.size(), run.graph.sessions.size());
        for (std::size_t i = 0; i < replayed.size(); ++i)
            EXPECT_NEAR(replayed[i], run.graph.sessions[i].runtime(), 100 * kJoinSlackSeconds) << golden << " session " << i;
    }
}

TEST(WhatIfTest, AFasterStepMovesWhatDependsOnIt) {
    const TracedRun run({make_session(fork_join_session())});
    EXPECT_THAT(run.replay("plan", 0), ElementsAre(DoubleNear(8, 1e-9)));
    EXPECT_THAT(run.replay("plan", 0.5), ElementsAre(DoubleNear(9, 1e-9)));
    EXPECT_THAT(run.replay("write", 0), ElementsAre(DoubleNear(7.5, 1e-9)));
}

TEST(WhatIfTest, AParallelSiblingBecomesTheNewLimit) {
    const TracedRun run({make_session(fork_join_session())});
    EXPECT_THAT(run.replay("slow", 0), ElementsAre(DoubleNear(9, 1e-9)));   // the fast one takes 2 of the 3 seconds
    EXPECT_THAT(run.replay("fast", 0), ElementsAre(DoubleNear(10, 1e-9)));  // nobody waited for it
}

TEST(WhatIfTest, ACallersOwnTimeIsBetweenItsChildren) {
    const TracedRun run({make_session(fork_join_session())});
    EXPECT_THAT(run.replay("wf", 0), ElementsAre(DoubleNear(7.5, 1e-9)));
}

TEST(WhatIfTest, WhatOutlivesItsCallerHoldsNobody) {
    const TracedRun run({make_session(join_calls({make_call("FUNCTION", "f", 0, 4, "f"), make_call("LLM", "m", 1, 8, "late", "f")}))});
    EXPECT_THAT(run.replay("late", 0), ElementsAre(DoubleNear(8, 1e-9)));
    EXPECT_THAT(run.replay("f", 0), ElementsAre(DoubleNear(4, 1e-9)));  // what follows it in the session stays
}

TEST(WhatIfTest, RowsAreSortedByGainAndSayWhereTheyHold) {
    auto session = make_session(fork_join_session());
    for (auto& step : session.steps) {
        step.function_ancestry.function_name = step.payload.uuid == "x" ? "writer" : "planner";
        if (step.payload.uuid == "x" || step.payload.uuid == "p") step.payload.name = "model";
    }
    const TracedRun run({session});
    const WhatIf what_if = compute_what_if(run.graph);
    EXPECT_EQ(what_if.sessions, 1u);
    EXPECT_DOUBLE_EQ(what_if.p95, 10);
    ASSERT_GE(what_if.rows.size(), 4u);
    EXPECT_EQ(to_string(what_if.rows[0].step), "LLM model");
    EXPECT_EQ(what_if.rows[0].factor, 0);
    EXPECT_NEAR(what_if.rows[0].gain_p95, 0.45, 1e-9);
    EXPECT_EQ(to_string(what_if.rows[1].step), "LLM model in writer");
    EXPECT_NEAR(what_if.rows[1].gain_p50, 0.25, 1e-9);
    for (std::size_t i = 1; i < what_if.rows.size(); ++i) EXPECT_GE(what_if.rows[i - 1].gain_p95, what_if.rows[i].gain_p95);
}

TEST(WhatIfTest, BoundsTheStepsItTriesAndCountsTheRest) {
    std::vector<std::vector<StepSpec>> calls;
    for (int i = 0; i < 100; ++i) calls.push_back(make_call("TOOL", std::to_string(i), i, i + 1, "tool-" + std::to_string(i)));
    auto session = make_session(join_calls(calls));
    for (auto& step : session.steps) step.function_ancestry.function_name = "root";
    const TracedRun run({session});
    const WhatIf what_if = compute_what_if(run.graph);
    EXPECT_EQ(what_if.rows.size(), kMaxWhatIfSteps * std::size(kWhatIfFactors));
    EXPECT_EQ(what_if.steps_left_out, 60u);
}

TEST(WhatIfTest, NoCallsNoRows) {
    const TracedRun run({event::SessionTrace{}});
    EXPECT_THAT(compute_what_if(run.graph).rows, IsEmpty());
    EXPECT_EQ(compute_what_if(run.graph).sessions, 0u);
}

}  // namespace
}  // namespace plimsoll::profile
