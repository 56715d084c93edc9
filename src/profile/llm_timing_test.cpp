#include "profile/llm_timing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "profile/llm_calls.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

StepSpec make_token(const std::string& uuid, double time) { return {.type = "LLM_NEW_TOKEN", .time = time, .uuid = uuid, .name = "m"}; }

event::SessionTrace streamed_session() {
    auto specs = make_call("LLM", "a", 10, 14, "m");
    specs[1].completion_tokens = 8;
    specs.insert(specs.begin() + 1, {make_token("a", 11), make_token("a", 11.5), make_token("a", 13)});
    return make_session(specs);
}

TEST(LlmTimingTest, FirstTokenGapsAndRate) {
    const std::vector<event::SessionTrace> sessions = {streamed_session()};
    const LlmTimings timings = compute_llm_timings(make_run_graph(sessions));
    ASSERT_EQ(timings.models.size(), 1u);
    const LlmTiming& model = timings.models[0];
    EXPECT_EQ(model.name, "m");
    EXPECT_DOUBLE_EQ(model.ttft.p50, 1);
    EXPECT_EQ(model.itl.n, 2u);
    EXPECT_DOUBLE_EQ(model.itl.mean, 1);
    EXPECT_DOUBLE_EQ(model.itl.max, 1.5);
    EXPECT_DOUBLE_EQ(model.tokens_per_s.p50, 2);
    EXPECT_EQ(model.queueing.n, 0u);
    ASSERT_EQ(timings.functions.size(), 1u);
    EXPECT_EQ(timings.functions[0].name, "agent");
}

TEST(LlmTimingTest, QueueingIsFromTheIntendedToTheActualStart) {
    auto session = streamed_session();
    set_metadata(session, "a", event::Phase::start, {{"intended_start", 7.5}});
    auto workflow = make_session(make_call("WORKFLOW", "w", 20, 21, "wf"));
    set_metadata(workflow, "w", event::Phase::start, {{"provided_metadata", {{"intended_start", 19}}}});
    const std::vector<event::SessionTrace> sessions = {session, workflow};
    const LlmTimings timings = compute_llm_timings(make_run_graph(sessions));
    EXPECT_DOUBLE_EQ(timings.models[0].queueing.mean, 2.5);
    EXPECT_EQ(timings.session_queueing.n, 1u);
    EXPECT_DOUBLE_EQ(timings.session_queueing.mean, 1);
}

TEST(LlmTimingTest, FailedCallsAndOtherCategoriesDoNotCount) {
    auto session = streamed_session();
    set_error(session, "a", ErrorCode::timeout);
    const std::vector<event::SessionTrace> sessions = {session, make_session(make_call("TOOL", "t", 0, 1, "t"))};
    EXPECT_TRUE(compute_llm_timings(make_run_graph(sessions)).models.empty());
}

TEST(LlmTimingTest, AnIntendedStartInTheFutureOrOfAnotherTypeIsNoQueue) {
    auto session = streamed_session();
    set_metadata(session, "a", event::Phase::start, {{"intended_start", 99}});
    auto garbage = streamed_session();
    set_metadata(garbage, "a", event::Phase::start, {{"intended_start", "soon"}, {"provided_metadata", 3}});
    auto far_off = streamed_session();
    set_metadata(far_off, "a", event::Phase::start, {{"intended_start", -1e300}});
    const std::vector<event::SessionTrace> sessions = {session, garbage, far_off};
    const LlmTimings timings = compute_llm_timings(make_run_graph(sessions));
    EXPECT_EQ(timings.models[0].queueing.n, 1u);
    EXPECT_EQ(timings.models[0].queueing.max, 0);
}

TEST(LlmTimingTest, WhatWasNotMeasuredIsNull) {
    const std::vector<event::SessionTrace> sessions = {make_session(make_call("LLM", "a", 0, 1, "m"))};
    const json::value out = to_json(compute_llm_timings(make_run_graph(sessions)));
    EXPECT_TRUE(out.at("models").at(0).at("ttft").is_null());
    EXPECT_EQ(out.at("models").at(0).at("calls").to_number<int>(), 1);
    EXPECT_TRUE(out.at("session_queueing").is_null());
}

std::string rows_of(std::size_t number, const event::SessionTrace& session) {
    std::string rows;
    append_llm_calls(rows, number, session, event::pair_spans(session.steps));
    return rows;
}

TEST(LlmCallsTest, ALineACall) {
    auto session = streamed_session();
    set_metadata(session, "a", event::Phase::start, {{"intended_start", 7.5}});
    EXPECT_EQ(rows_of(3, session), "3,a,m,agent,10.000000,4.000000,1.000000,1.000000,1.450000,2.000,2.500000,0,8,0,0,\n");
    set_error(session, "a", ErrorCode::timeout);
    EXPECT_THAT(rows_of(3, session), testing::EndsWith(",8,0,0,timeout: as the test wants\n"));
}

TEST(LlmCallsTest, WhatIsNotKnownIsEmptyAndTextsAreQuoted) {
    const auto session =
        make_session({{.type = "LLM_START", .time = 1, .uuid = "u,1", .name = "m \"x\""}, {.type = "TOOL_START", .time = 1}});
    EXPECT_EQ(rows_of(0, session), "0,\"u,1\",\"m \"\"x\"\"\",agent,1.000000,,,,,,,0,0,0,0,unfinished\n");
    EXPECT_EQ(std::ranges::count(llm_calls_head(), ','), std::ranges::count(rows_of(0, streamed_session()), ','));
}

}  // namespace
}  // namespace plimsoll::profile
