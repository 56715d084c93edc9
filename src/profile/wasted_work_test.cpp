#include "profile/wasted_work.h"

#include <gtest/gtest.h>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

WastedWork compute(const std::vector<event::SessionTrace>& sessions) { return compute_wasted_work(make_run_graph(sessions)); }

TEST(WastedWorkTest, ACancelledBranchCountsOnceWithAllItsTokens) {
    auto specs = join_calls({make_call("WORKFLOW", "w", 0, 10, "wf"), make_call("FUNCTION", "f", 1, 5, "branch", "w"),
                             make_call("LLM", "done", 1, 3, "m", "f"), make_call("LLM", "cut", 3, 5, "m", "f"),
                             make_call("LLM", "kept", 5, 9, "m", "w")});
    for (auto& spec : specs)
        if (spec.type == "LLM_END") spec.prompt_tokens = spec.uuid == "kept" ? 60 : 20;
    auto session = make_session(specs);
    set_error(session, "f", ErrorCode::cancelled);
    set_error(session, "cut", ErrorCode::cancelled);
    const WastedWork work = compute({session});
    ASSERT_EQ(work.rows.size(), 1u);
    EXPECT_EQ(work.rows[0].step.name, "branch");
    EXPECT_EQ(work.rows[0].why, Waste::cancelled);
    EXPECT_EQ(work.rows[0].llm_calls, 2u);
    EXPECT_DOUBLE_EQ(work.seconds, 4);
    EXPECT_EQ(work.tokens, 40);
    EXPECT_DOUBLE_EQ(work.token_share, 0.4);
}

TEST(WastedWorkTest, ACallThatOutlivesItsCaller) {
    const WastedWork work =
        compute({make_session(join_calls({make_call("FUNCTION", "f", 0, 4, "f"), make_call("LLM", "m", 1, 8, "m", "f")}))});
    ASSERT_EQ(work.rows.size(), 1u);
    EXPECT_EQ(work.rows[0].why, Waste::outlived);
    EXPECT_DOUBLE_EQ(work.seconds, 7);
}

TEST(WastedWorkTest, ACallWithoutEndLastsUntilItsCallersAndItsPiecesAreTokens) {
    auto specs = make_call("FUNCTION", "f", 0, 4, "f");
    specs.insert(specs.begin() + 1, {{.type = "LLM_START", .time = 1, .uuid = "m", .name = "m", .parent = "f"},
                                     {.type = "LLM_NEW_TOKEN", .time = 2, .uuid = "m", .name = "m", .parent = "f"},
                                     {.type = "LLM_NEW_TOKEN", .time = 3, .uuid = "m", .name = "m", .parent = "f"}});
    const WastedWork work = compute({make_session(specs)});
    ASSERT_EQ(work.rows.size(), 1u);
    EXPECT_EQ(work.rows[0].why, Waste::unfinished);
    EXPECT_DOUBLE_EQ(work.seconds, 3);
    EXPECT_EQ(work.tokens, 2);
}

TEST(WastedWorkTest, WorkThatWasUsedIsNone) {
    const WastedWork work = compute(
        {make_session(join_calls({make_call("FUNCTION", "f", 0, 4, "f"), make_call("LLM", "m", 1, 4, "m", "f")})), event::SessionTrace{}});
    EXPECT_TRUE(work.rows.empty());
    EXPECT_EQ(work.token_share, 0);
}

}  // namespace
}  // namespace plimsoll::profile
