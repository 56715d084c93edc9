// The analyses one by one, on traces small enough to check by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "profile/analysis_runner.h"
#include "profile/concurrency.h"
#include "profile/concurrency_spikes.h"
#include "profile/llm_metrics.h"
#include "profile/nested_stack.h"
#include "profile/simple_stack.h"
#include "profile/standardized_csv.h"
#include "profile/step_latency.h"
#include "profile/token_uniqueness.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::ElementsAre;

Written nested_stack(const RunGraph& graph, std::size_t max_tree_lines = kMaxTreeLines) {
    return collect_output([&](const AnalysisOutput& output) { analyse_nested_stack(graph, max_tree_lines, output); });
}

Written simple_stack(const std::vector<event::SessionTrace>& sessions) {
    return collect_output(
        [&](const AnalysisOutput& output) { analyse_simple_stack(collect_operations(make_run_graph(sessions)), output); });
}

Written concurrency_spikes(const std::vector<event::SessionTrace>& sessions, const SpikeLimits& limits = {}) {
    return collect_output([&](const AnalysisOutput& output) { analyse_concurrency_spikes(make_run_graph(sessions), 1, limits, output); });
}

TEST(LlmMetricsTest, OfTheRunTheLastEndOfAUuidCounts) {
    const auto call = [](std::int64_t tokens) {
        return make_session({{.type = "LLM_START", .time = 1, .uuid = "same"},
                             {.type = "LLM_END", .time = 2, .uuid = "same", .completion_tokens = tokens}});
    };
    CompletionTokens run;
    for (const std::int64_t tokens : {5, 7, 6}) run.add(call(tokens).steps);
    run.sort();
    EXPECT_EQ(compute_outlooks(call(5).steps, &run)[0].output_tokens, 6);
    EXPECT_EQ(compute_outlooks(call(5).steps)[0].output_tokens, 5);
    EXPECT_FALSE(run.find("other").has_value());
}

std::string make_standardized_csv(const std::vector<event::SessionTrace>& sessions, StandardizedCsv::Columns columns) {
    StandardizedCsv csv(columns);
    std::string text;
    for (const auto& session : sessions) {
        const auto outlooks = compute_outlooks(session.steps);
        csv.add(session, &outlooks);
        text += csv.take_rows();
    }
    return text + csv.take_rest();
}

TEST(StandardizedCsvTest, QuotesWhatNeedsIt) {
    auto session = make_session({{.type = "LLM_START", .time = 1.5, .uuid = "a", .name = "m,1", .input = "say \"hi\"\nnow"}});
    session.steps[0].function_ancestry = {};
    EXPECT_EQ(make_standardized_csv({session}, {}),
              "event_type,event_timestamp,example_number,prompt_tokens,completion_tokens,total_tokens,llm_text_input,llm_text_output,"
              "llm_new_token,llm_name,tool_name,function_name,function_id,parent_function_name,parent_function_id,UUID,framework\n"
              "LLM_START,1.5,0,0,0,0,\"say \"\"hi\"\"\nnow\",,,\"m,1\",,root,root,,,a,\n");
}

TEST(StandardizedCsvTest, TextsThatAreNoStringsAreJson) {
    const auto session = make_session({{.type = "LLM_START", .uuid = "a", .input = json::array{{{"content", "x"}}}}});
    EXPECT_THAT(make_standardized_csv({session}, {}), testing::HasSubstr(R"("[{""content"":""x""}]")"));
}

TEST(StandardizedCsvTest, RemainingIsWholeWithoutLlmStarts) {
    const std::vector<event::SessionTrace> sessions = {make_session(make_call("TOOL", "t", 0, 1))};
    EXPECT_THAT(make_standardized_csv(sessions, {.nova = true, .text = false}), testing::HasSubstr(",agent,-1,-1.0,-1.0,,1000.0\n"));
}

TEST(StandardizedCsvTest, OneLlmStartMakesRemainingAFloatInEveryRow) {
    const auto tool = make_session(make_call("TOOL", "t", 0, 1)), llm = make_session(make_call("LLM", "l", 2, 3));
    const std::string rows = make_standardized_csv({tool, {}, tool, llm, tool}, {.nova = true, .text = false});
    EXPECT_THAT(rows, testing::Not(testing::HasSubstr(",agent,-1,")));
    std::size_t floats = 0;
    for (std::size_t at = 0; (at = rows.find(",agent,-1.0,-1.0,-1.0,", at)) != std::string::npos; ++at) ++floats;
    EXPECT_EQ(floats, 6u);
    EXPECT_THAT(rows, testing::HasSubstr("\nTOOL_START,0.0,4,"));  // the number of the session counts those without steps
    EXPECT_EQ(make_standardized_csv({{}, {}}, {.nova = true}), "\n");
}

TEST(TokenUniquenessTest, WordsAreLowerCaseLettersAndDigits) {
    EXPECT_THAT(split_words("Don't  STOP_me-now 42!"), testing::UnorderedElementsAre("don", "t", "stop_me", "now", "42"));
    EXPECT_THAT(split_words("\u00c4pfel \u201eja\u201c \u2014 \u65e5\u672c"),
                testing::UnorderedElementsAre("\u00e4pfel", "ja", "\u65e5\u672c"));
    EXPECT_TRUE(split_words("").empty());
    EXPECT_THAT(split_words("a\xff\xe2\x82"
                            "b"),
                testing::UnorderedElementsAre("a", "b"));  // broken UTF-8 separates
}

TEST(CallTreeTest, OverlappingCallsAreSiblings) {
    const std::vector<event::SessionTrace> sessions = {make_session(
        join_calls({make_call("TOOL", "a", 0, 2, "a"), make_call("TOOL", "b", 1, 3, "b"), make_call("TOOL", "c", 4, 5, "c")}))};
    const RunGraph graph = make_run_graph(sessions);
    for (const Call& call : make_call_tree(graph, graph.sessions[0], is_call)) EXPECT_EQ(call.parent, kNoCall);
}

TEST(CallTreeTest, SelfTimeIsWhatNoChildCovers) {
    const std::vector<event::SessionTrace> sessions = {
        make_session(join_calls({make_call("FUNCTION", "f", 0, 10, "f"), make_call("TOOL", "a", 1, 4, "a", "f"),
                                 make_call("TOOL", "b", 2, 6, "b", "f"), make_call("TOOL", "c", 9, 12, "c", "f")}))};
    const RunGraph graph = make_run_graph(sessions);
    const CallTree tree = make_call_tree(graph, graph.sessions[0], is_call);
    ASSERT_EQ(tree.size(), 4u);
    EXPECT_DOUBLE_EQ(tree[0].self_time, 10 - (6 - 1) - (10 - 9));
    EXPECT_DOUBLE_EQ(tree[0].subtree_time, tree[0].self_time + 3 + 4 + 3);
}

TEST(CallTreeTest, LeftOutSpansPassTheirChildrenUp) {
    const std::vector<event::SessionTrace> sessions = {make_session(join_calls(
        {make_call("FUNCTION", "f", 0, 10, "f"), make_call("TASK", "t", 1, 9, "t", "f"), make_call("LLM", "l", 2, 8, "l", "t")}))};
    const RunGraph graph = make_run_graph(sessions);
    const CallTree tree = make_call_tree(graph, graph.sessions[0], is_nested_call);
    ASSERT_EQ(tree.size(), 2u);
    EXPECT_EQ(tree[1].parent, 0u);
    EXPECT_DOUBLE_EQ(tree[0].self_time, 4);
}

TEST(CallTreeTest, FunctionStandsInForAnUnknownParent) {
    auto session = make_session(join_calls({make_call("FUNCTION", "agent-id", 0, 10, "agent"), make_call("LLM", "l", 2, 8, "l", "gone")}));
    const std::vector<event::SessionTrace> sessions = {session};
    const RunGraph graph = make_run_graph(sessions);
    const CallTree tree = make_call_tree(graph, graph.sessions[0], is_call);
    ASSERT_EQ(tree.size(), 2u);
    EXPECT_EQ(tree[1].parent, 0u);
}

TEST(CallTreeTest, CircleOfParentsIsCut) {
    const std::vector<event::SessionTrace> sessions = {make_session(join_calls(
        {make_call("TOOL", "a", 0, 5, "a", "b"), make_call("TOOL", "b", 1, 4, "b", "a"), make_call("TOOL", "c", 2, 3, "c", "c")}))};
    const RunGraph graph = make_run_graph(sessions);
    const CallTree tree = make_call_tree(graph, graph.sessions[0], is_call);
    ASSERT_EQ(tree.size(), 3u);
    EXPECT_EQ(tree[0].parent, kNoCall);
    EXPECT_EQ(tree[1].parent, 0u);
    EXPECT_EQ(tree[2].parent, kNoCall);
}

TEST(CallTreeTest, DeepChainsAndReports) {
    constexpr int kDepth = 5000;
    std::vector<StepSpec> steps;
    steps.reserve(kDepth);
    for (int i = 0; i < kDepth; ++i)
        steps.push_back(
            {.type = "FUNCTION_START", .time = i * 1.0, .uuid = std::to_string(i), .name = "f", .parent = std::to_string(i - 1)});
    const std::vector<event::SessionTrace> sessions = {make_session(steps)};
    const RunGraph graph = make_run_graph(sessions);
    const CallTree tree = make_call_tree(graph, graph.sessions[0], is_nested_call);
    EXPECT_EQ(tree.back().depth, kDepth - 1u);
    EXPECT_LT(nested_stack(graph).report.size(), 1'500'000u);
}

TEST(NestedStackTest, TreeLinesAreBounded) {
    const RunGraph graph = make_run_graph({make_session(join_calls({make_call("TOOL", "a", 0, 1), make_call("TOOL", "b", 1, 2)})),
                                           make_session(make_call("TOOL", "c", 2, 3))});
    const auto count = [&](std::size_t lines) {
        const std::string report = nested_stack(graph, lines).report;
        std::size_t found = 0;
        for (std::size_t at = 0; (at = report.find("\n- TOOL 'm' (uuid=", at)) != std::string::npos; ++at) ++found;
        return std::pair(found, report.ends_with("more calls: node_metrics of workflow_profiling_metrics.json has all."));
    };
    EXPECT_EQ(count(3), std::pair(std::size_t{3}, false));
    EXPECT_EQ(count(2), std::pair(std::size_t{2}, true));
    EXPECT_EQ(nested_stack(graph, 2).metrics.at("node_metrics").as_object().size(), 3u);
}

TEST(NestedStackTest, OfEqualUuidsTheLastCallStandsAtTheFirstPlace) {
    const auto call = [](const char* uuid, double seconds) { return make_session(make_call("TOOL", uuid, 0, seconds)); };
    const auto output = nested_stack(make_run_graph({call("same", 9), call("other", 1), call("same", 2), call("same", 3)}));
    const auto& nodes = output.metrics.at("node_metrics").as_object();
    ASSERT_EQ(nodes.size(), 2u);
    EXPECT_EQ(nodes.begin()->key(), "same");
    EXPECT_EQ(nodes.at("same").at("duration").to_number<double>(), 3);
    EXPECT_EQ(output.metrics.at("top_bottlenecks").as_array().size(), 2u);
    EXPECT_THAT(output.report, testing::HasSubstr("Total calls (across all examples): 4\n"));
}

TEST(SimpleStackTest, CallsThatMeetDoNotOverlap) {
    const std::vector<event::SessionTrace> sessions = {
        make_session(join_calls({make_call("LLM", "b", 0, 1), make_call("LLM", "a", 1, 2)}))};
    const auto output = simple_stack(sessions);
    EXPECT_EQ(output.metrics.at("LLM:m").at("max_concurrency").to_number<int>(), 1);
}

TEST(ConcurrencyTest, LevelsOverTime) {
    const std::vector<Interval> intervals = {{0, 2}, {1, 3}, {5, 6}, {6, 6}};
    const auto timeline = compute_timeline(intervals);
    ASSERT_EQ(timeline.size(), 5u);
    EXPECT_EQ(max_level(timeline), 2);
    EXPECT_EQ(level_at(timeline, 1.5), 2);
    EXPECT_EQ(level_at(timeline, 4), 0);
    EXPECT_EQ(level_at(timeline, 6), 0);
    EXPECT_EQ(level_at(timeline, -1), 0);
    EXPECT_THAT(compute_level_seconds(timeline), ElementsAre(std::pair(0, 2.0), std::pair(1, 3.0), std::pair(2, 1.0)));
    EXPECT_EQ(level_percentile(compute_level_seconds(timeline), 50), 1);
    EXPECT_EQ(level_percentile(compute_level_seconds(timeline), 99), 2);
    EXPECT_EQ(level_percentile({}, 50), 0);
}

TEST(ConcurrencySpikesTest, UuidListsAreBounded) {
    // All calls overlap: the lists of all spikes together would hold n² = 1,000,000 UUIDs.
    constexpr int kCalls = 1000;
    std::vector<StepSpec> steps;
    steps.reserve(2 * kCalls);
    for (int i = 0; i < kCalls; ++i) steps.push_back({.type = "LLM_START", .time = i * 1.0, .uuid = std::to_string(i), .name = "m"});
    for (int i = 0; i < kCalls; ++i)
        steps.push_back({.type = "LLM_END", .time = kCalls + i * 1.0, .uuid = std::to_string(i), .name = "m", .prompt_tokens = 7});
    const std::vector<event::SessionTrace> sessions = {make_session(steps)};
    const auto output = concurrency_spikes(sessions);
    std::size_t listed = 0;
    for (const auto& spike : output.metrics.at("spike_intervals").as_array()) listed += spike.at("active_uuids").as_array().size();
    EXPECT_LE(listed, kMaxListedUuids);
    EXPECT_GT(output.metrics.at("plimsoll").at("spikes_without_uuids").to_number<int>(), 0);
    EXPECT_EQ(output.metrics.at("correlation_stats").at("avg_prompt_tokens").to_number<double>(), 7);
}

TEST(ConcurrencySpikesTest, LinesOfTheReportAreBounded) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 4; ++i) sessions.push_back(make_session(make_call("TOOL", std::to_string(i), 2 * i, 2 * i + 1)));
    const auto output = concurrency_spikes(sessions, {.report_lines = 3});
    EXPECT_THAT(output.report, testing::HasSubstr("\n3) 4.00-5.00"));
    EXPECT_THAT(output.report, testing::HasSubstr("\n1 more: workflow_profiling_metrics.json has all.\n"));
    EXPECT_EQ(output.metrics.at("spike_intervals").as_array().size(), 4u);
}

TEST(StepLatencyTest, TokensAndShares) {
    auto session = make_session({{.type = "LLM_START", .time = 0, .uuid = "a", .name = "m"},
                                 {.type = "LLM_NEW_TOKEN", .time = 0.5, .uuid = "a"},
                                 {.type = "LLM_NEW_TOKEN", .time = 1, .uuid = "a"},
                                 {.type = "LLM_END", .time = 3, .uuid = "a", .name = "m", .completion_tokens = 30},
                                 {.type = "TOOL_START", .time = 3, .uuid = "t", .name = "search"},
                                 {.type = "TOOL_END", .time = 4, .uuid = "t", .name = "search"}});
    const std::vector<event::SessionTrace> sessions = {session};
    const RunGraph graph = make_run_graph(sessions);
    const auto rows = compute_step_latencies(graph);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].name, "m");
    EXPECT_DOUBLE_EQ(*rows[0].ttft_p50, 0.5);
    EXPECT_DOUBLE_EQ(*rows[0].tokens_per_s, 10);
    EXPECT_DOUBLE_EQ(rows[0].self_time_share, 0.75);
    EXPECT_FALSE(rows[1].ttft_p50.has_value());
    EXPECT_FALSE(rows[1].tokens_per_s.has_value());
}

TEST(AnalysisRunnerTest, FailuresAndExceptionsAreKeptApart) {
    AnalysisRunner runner;
    bool ran = false;
    EXPECT_FALSE(runner.run("throws", true, []() -> Result<void> { throw std::runtime_error("boom"); }));
    EXPECT_FALSE(runner.run("fails", true, []() -> Result<void> { return fail(ErrorCode::limit, "too much"); }));
    EXPECT_FALSE(runner.run("off", false, []() -> Result<void> { throw std::runtime_error("not called"); }));
    EXPECT_TRUE(runner.run("works", true, [&]() -> Result<void> {
        ran = true;
        return {};
    }));
    EXPECT_TRUE(ran);
    ASSERT_EQ(runner.failures().size(), 2u);
    EXPECT_EQ(runner.failures()[0].second.code, ErrorCode::internal);
    EXPECT_EQ(runner.failures()[1].second.code, ErrorCode::limit);
    EXPECT_EQ(runner.timings().size(), 3u);
}

}  // namespace
}  // namespace plimsoll::profile
