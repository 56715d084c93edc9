#include "profile/error_cost.h"

#include <gtest/gtest.h>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

ErrorCost compute(const std::vector<event::SessionTrace>& sessions) { return compute_error_cost(make_run_graph(sessions)); }

// A tool that fails and is called again with the same input, inside a workflow that succeeds.
event::SessionTrace repeated_session(ErrorCode code) {
    auto session = make_session(join_calls({make_call("WORKFLOW", "w", 0, 10, "wf"), make_call("TOOL", "a", 1, 3, "search", "w"),
                                            make_call("TOOL", "b", 4, 5, "search", "w")}));
    set_error(session, "a", code);
    return session;
}

TEST(ErrorCostTest, AFailedCallAndItsRepetition) {
    const ErrorCost cost = compute({repeated_session(ErrorCode::timeout)});
    ASSERT_EQ(cost.steps.size(), 1u);
    EXPECT_EQ(cost.steps[0].failed, 1u);
    EXPECT_DOUBLE_EQ(cost.steps[0].failed_seconds, 2);
    EXPECT_EQ(cost.steps[0].retried, 1u);
    EXPECT_EQ(cost.steps[0].extra_attempts, 1u);
    EXPECT_DOUBLE_EQ(cost.steps[0].retried_seconds, 1);
    EXPECT_EQ(cost.failed_sessions, 0u);
}

TEST(ErrorCostTest, AnotherInputIsNoRepetition) {
    auto session = repeated_session(ErrorCode::timeout);
    for (auto& step : session.steps)
        if (step.payload.uuid == "b") step.payload.data->input = "other";
    EXPECT_EQ(compute({session}).total.retried, 0u);
}

TEST(ErrorCostTest, CancelledCallsAreNoFailures) { EXPECT_TRUE(compute({repeated_session(ErrorCode::cancelled)}).steps.empty()); }

TEST(ErrorCostTest, AFailureThatTravelsUpCountsItsTimeOnce) {
    auto specs = join_calls({make_call("WORKFLOW", "w", 0, 4, "wf"), make_call("LLM", "m", 1, 4, "m", "w")});
    for (auto& spec : specs)
        if (spec.type == "LLM_END") spec.prompt_tokens = 100;
    auto session = make_session(specs);
    set_error(session, "w", ErrorCode::http_status);
    set_error(session, "m", ErrorCode::http_status);
    const ErrorCost cost = compute({session});
    EXPECT_EQ(cost.failed_sessions, 1u);
    EXPECT_DOUBLE_EQ(cost.total.failed_seconds, 4);
    EXPECT_EQ(cost.total.failed_tokens, 100);
}

TEST(ErrorCostTest, AttemptsInsideACallAreRead) {
    auto session = make_session(join_calls({make_call("LLM", "m", 0, 3, "m"), make_call("TOOL", "e", 3, 4, "embed")}));
    set_metadata(session, "m", event::Phase::end, {{"attempts", 3}});
    set_metadata(session, "e", event::Phase::end, {{"retries", 1}});
    const ErrorCost cost = compute({session});
    EXPECT_EQ(cost.total.extra_attempts, 3u);
    EXPECT_EQ(cost.total.retried, 2u);
    EXPECT_DOUBLE_EQ(cost.total.retried_seconds, 4);
    EXPECT_EQ(cost.total.failed, 0u);
}

TEST(ErrorCostTest, GarbageMetadataCountsNothing) {
    auto session = make_session(make_call("LLM", "m", 0, 3, "m"));
    set_metadata(session, "m", event::Phase::end, {{"attempts", -5}, {"retries", "many"}});
    EXPECT_TRUE(compute({session, event::SessionTrace{}}).steps.empty());
}

}  // namespace
}  // namespace plimsoll::profile
