// NAT's rules one by one, on traces small enough to check by hand.
#include "profile/nat_compat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/profiler.h"
#include "profile/python_text.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::ElementsAre;

event::SessionTrace join(const std::vector<std::vector<StepSpec>>& calls) {
    std::vector<StepSpec> all;
    for (const auto& call : calls) all.insert(all.end(), call.begin(), call.end());
    std::ranges::stable_sort(all, {}, &StepSpec::time);
    return make_session(all);
}

RunGraph make_nat_calls(const std::vector<event::SessionTrace>& sessions) {
    RunGraph graph;
    for (const auto& session : sessions) add_nat_session(graph, session, is_nested_call);
    return graph;
}

Operations collect_nat_operations(const std::vector<event::SessionTrace>& sessions) {
    NatOperations operations;
    for (const auto& session : sessions) operations.add(session.steps);
    return operations.collect();
}

TEST(NatLatencyTest, ParallelCallsGiveOneLatency) {
    EXPECT_THAT(compute_nat_latencies(join({make_call("LLM", "a", 0, 3), make_call("LLM", "b", 1, 5)}).steps), ElementsAre(2));
    EXPECT_THAT(compute_nat_latencies(join({make_call("LLM", "a", 0, 3), make_call("LLM", "b", 4, 5)}).steps), ElementsAre(3, 1));
    EXPECT_TRUE(compute_nat_latencies({}).empty());
}

TEST(NatCallsTest, ACallThatEndsBelowTheTopStaysOnTheStack) {
    const RunGraph graph =
        make_nat_calls({join({make_call("TOOL", "a", 0, 2, "a"), make_call("TOOL", "b", 1, 3, "b"), make_call("TOOL", "c", 4, 5, "c")})});
    ASSERT_EQ(graph.calls.size(), 3u);
    EXPECT_EQ(graph.calls[0].parent, kNoCall);
    EXPECT_EQ(graph.calls[1].parent, 0u);
    EXPECT_EQ(graph.calls[2].parent, 0u);
    EXPECT_DOUBLE_EQ(graph.calls[0].subtree_time, 1 + 2 + 1);
}

TEST(NatCallsTest, NamesAndUnfinishedCalls) {
    const RunGraph graph =
        make_nat_calls({make_session({{.type = "LLM_START", .time = 1, .uuid = "a"},
                                      {.type = "SPAN_START", .time = 2, .uuid = "b", .name = "own", .function = "around"},
                                      {.type = "TOOL_END", .time = 3, .uuid = "nobody"}})});
    ASSERT_EQ(graph.calls.size(), 2u);
    EXPECT_EQ(graph.shown_name(graph.calls[0]), "unknown_llm");
    EXPECT_EQ(graph.shown_name(graph.calls[1]), "around");
    EXPECT_EQ(graph.calls[1].category, event::Category::function);
    EXPECT_EQ(graph.calls[0].duration(), 0);
}

TEST(NatOperationsTest, TheOrderOfUuidsDecidesWhetherCallsThatMeetOverlap) {
    const auto concurrency = [](const std::string& first, const std::string& second) {
        return collect_nat_operations({join({make_call("LLM", first, 0, 1), make_call("LLM", second, 1, 2)})}).max_concurrency;
    };
    EXPECT_EQ(concurrency("a", "b"), 1);
    EXPECT_EQ(concurrency("b", "a"), 2);
}

TEST(NatOperationsTest, AFirstTokenHidesTheModel) {
    auto operations = collect_nat_operations({make_session({{.type = "LLM_NEW_TOKEN", .time = 0, .uuid = "a", .name = "m"},
                                                            {.type = "LLM_START", .time = 1, .uuid = "a", .name = "m"},
                                                            {.type = "LLM_END", .time = 2, .uuid = "a", .name = "m"},
                                                            {.type = "TOOL_START", .time = 2, .uuid = "b", .name = "t"}})});
    ASSERT_EQ(operations.list.size(), 1u);
    EXPECT_EQ(operations.list[0].name, "");
    EXPECT_EQ(operations.list[0].mean_duration, 1);
}

TEST(NatOperationsTest, SessionsThatShareAUuidAreOneOperation) {
    const auto call = [](const std::string& name, double start, double end) {
        return make_session(make_call("LLM", "same", start, end, name));
    };
    const auto operations =
        collect_nat_operations({call("late", 5, 6), call("early", 1, 2), make_session(make_call("TOOL", "same", 0.5, 9))});
    ASSERT_EQ(operations.list.size(), 1u);
    EXPECT_EQ(operations.list[0].type, "TOOL");
    const auto two = collect_nat_operations({call("late", 5, 6), call("early", 1, 2)});
    ASSERT_EQ(two.list.size(), 1u);
    EXPECT_EQ(two.list[0].name, "early");
    EXPECT_DOUBLE_EQ(two.list[0].mean_duration, 5);
}

TEST(PythonTextTest, ReprOfWhatJsonHolds) {
    const auto text = [](std::string_view document) { return to_python_text(parse_json(document).value()); };
    EXPECT_EQ(text(R"("as it's")"), "as it's");
    EXPECT_EQ(text("null"), "None");
    EXPECT_EQ(text(R"({"a": [], "b": {}, "c": [true, null, 1.0, 1e-7, 1e20, -3]})"),
              "{'a': [], 'b': {}, 'c': [True, None, 1.0, 1e-07, 1e+20, -3]}");
    EXPECT_EQ(text(R"(["it's", "a\"b", "it's \"x\"", "\n\t\\\u0001\u200b\u00e9"])"),
              R"(["it's", 'a"b', 'it\'s "x"', '\n\t\\\x01\u200bé'])");
}

TEST(NatCompatTest, GanttBarsAreItsNestedCallsByItsNames) {
    const ProfileInput input{.sessions = load_golden_traces("nat/research_8_c1/out/all_requests_profiler_traces.json")};
    ProfilerConfig config;
    config.bottleneck_analysis.enable_nested_stack = true;
    const auto count = [&](bool nat, std::string_view name) {
        config.nat_compat = nat;
        const auto bars = profile(input, config).bars.list;
        return name.empty() ? bars.size() : static_cast<std::size_t>(std::ranges::count(bars, name, &GanttBar::name));
    };
    EXPECT_EQ(count(true, ""), 176u);
    EXPECT_EQ(count(true, "<workflow>"), 80u);
    EXPECT_EQ(count(true, "plan"), 0u);
    EXPECT_EQ(count(false, "plan"), 8u);
}

}  // namespace
}  // namespace plimsoll::profile
