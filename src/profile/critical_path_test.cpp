#include "profile/critical_path.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct TracedRun {
    explicit TracedRun(const std::vector<event::SessionTrace>& traces) : graph(make_run_graph(traces)) {}

    // "name start-end" of each piece, "-" outside any call.
    std::vector<std::string> path(std::size_t session = 0) const {
        std::vector<std::string> pieces;
        const auto tree = graph.calls_of(graph.sessions[session]);
        for (const PathPiece& piece : find_critical_path(graph, graph.sessions[session]))
            pieces.push_back(
                fmt::format("{} {}..{}", piece.call == kNoCall ? "-" : graph.shown_name(tree[piece.call]), piece.start, piece.end));
        return pieces;
    }

    RunGraph graph;
};

double total(const std::vector<PathPiece>& pieces) {
    double seconds = 0;
    for (const PathPiece& piece : pieces) seconds += piece.end - piece.start;
    return seconds;
}

TEST(CriticalPathTest, FollowsTheBranchThatWasWaitedFor) {
    // plan, then two searches in parallel, then a write that waited for the slower one.
    const TracedRun run({make_session(join_calls({make_call("WORKFLOW", "w", 0, 10, "wf"), make_call("LLM", "p", 1, 3, "plan", "w"),
                                                  make_call("TOOL", "a", 3, 4, "fast", "w"), make_call("TOOL", "b", 3, 6, "slow", "w"),
                                                  make_call("LLM", "x", 6.5, 9, "write", "w")}))});
    EXPECT_THAT(run.path(), ElementsAre("wf 0..1", "plan 1..3", "slow 3..6", "wf 6..6.5", "write 6.5..9", "wf 9..10"));
}

TEST(CriticalPathTest, GoesIntoTheCallThatWasWaitedFor) {
    const TracedRun run({make_session(join_calls({make_call("FUNCTION", "f", 0, 4, "f"), make_call("LLM", "m", 1, 3, "m", "f")}))});
    EXPECT_THAT(run.path(), ElementsAre("f 0..1", "m 1..3", "f 3..4"));
}

TEST(CriticalPathTest, WhatOutlivesItsCallerWasNotWaitedFor) {
    const TracedRun run({make_session(join_calls({make_call("WORKFLOW", "w", 0, 10, "wf"), make_call("FUNCTION", "f", 0, 4, "f", "w"),
                                                  make_call("LLM", "m", 1, 8, "late", "f"), make_call("TOOL", "t", 4, 9, "t", "w")}))});
    EXPECT_THAT(run.path(), ElementsAre("f 0..4", "t 4..9", "wf 9..10"));
}

TEST(CriticalPathTest, TimeBetweenRootsBelongsToNoCall) {
    const TracedRun run({make_session(join_calls({make_call("LLM", "a", 0, 1, "a"), make_call("LLM", "b", 3, 4, "b")}))});
    EXPECT_THAT(run.path(), ElementsAre("a 0..1", "- 1..3", "b 3..4"));
    EXPECT_DOUBLE_EQ(compute_critical_paths(run.graph).outside_share, 0.5);
}

TEST(CriticalPathTest, EmptyAndUnfinishedSessions) {
    const TracedRun run({event::SessionTrace{}, make_session({{.type = "LLM_START", .time = 5, .uuid = "a", .name = "m"}})});
    EXPECT_THAT(run.path(0), IsEmpty());
    EXPECT_THAT(run.path(1), IsEmpty());
    EXPECT_EQ(compute_critical_paths(run.graph).runtime, 0);
}

TEST(CriticalPathTest, SharesAreOverAllSessions) {
    const TracedRun run({make_session(join_calls({make_call("WORKFLOW", "w", 0, 4, "wf"), make_call("LLM", "a", 0, 3, "m", "w")})),
                         make_session(join_calls({make_call("WORKFLOW", "v", 0, 6, "wf"), make_call("TOOL", "b", 0, 6, "t", "v"),
                                                  make_call("LLM", "c", 0, 2, "m", "v")}))});
    const CriticalPaths paths = compute_critical_paths(run.graph);
    EXPECT_DOUBLE_EQ(paths.runtime, 10);
    ASSERT_EQ(paths.steps.size(), 3u);
    EXPECT_EQ(to_string(paths.steps[0].step), "TOOL t in agent");
    EXPECT_DOUBLE_EQ(paths.steps[0].path_share, 0.6);
    EXPECT_EQ(to_string(paths.steps[1].step), "LLM m in agent");
    EXPECT_DOUBLE_EQ(paths.steps[1].path_share, 0.3);
    EXPECT_EQ(paths.steps[1].calls, 2u);
    EXPECT_EQ(paths.steps[1].calls_on_path, 1u);
    EXPECT_DOUBLE_EQ(paths.steps[1].self_seconds, 5);
    EXPECT_DOUBLE_EQ(paths.steps[2].path_share, 0.1);
}

TEST(CriticalPathTest, PiecesAddUpToTheRuntimeOfRecordedSessions) {
    for (const char* golden : {"nat/research_8_c1", "nat/parallel_8_c2", "nat/syn_single_50"}) {
        const TracedRun run(load_golden_traces(std::string(golden) + "/out/all_requests_profiler_traces.json"));
        ASSERT_FALSE(run.graph.sessions.empty());
        for (std::size_t i = 0; i < run.graph.sessions.size(); ++i)
            EXPECT_NEAR(total(find_critical_path(run.graph, run.graph.sessions[i])), run.graph.sessions[i].runtime(), 1e-6)
                << golden << " session " << i;
    }
}

TEST(CriticalPathTest, SurvivesDeepNesting) {
    std::vector<std::vector<StepSpec>> calls;
    constexpr int kDepth = 20'000;
    for (int i = 0; i < kDepth; ++i)
        calls.push_back(make_call("FUNCTION", std::to_string(i), i, 2 * kDepth - i, "f", i == 0 ? "root" : std::to_string(i - 1)));
    const TracedRun run({make_session(join_calls(calls))});
    EXPECT_EQ(find_critical_path(run.graph, run.graph.sessions[0]).size(), 2u * kDepth - 1);
}

}  // namespace
}  // namespace plimsoll::profile
