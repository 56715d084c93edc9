#include "record/atif.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "event/span.h"
#include "record/trace_file.h"

namespace plimsoll::record {
namespace {

using event::Category;

const std::filesystem::path kTests = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests";

const event::Span& find_call(const event::SpanList& list, Category category, const std::string& name) {
    for (const auto& span : list.spans)
        if (span.category == category && span.name == name) return span;
    PLIMSOLL_CHECK(false, name);
}

TEST(Atif, NatsRunOfSixItems) {
    const auto traces = read_trace_file(kTests / "goldens/nat-small/eval_run_sample/workflow_output_atif.json");
    ASSERT_TRUE(traces) << traces.error().message;
    EXPECT_EQ(traces->kind, TraceKind::atif);
    EXPECT_TRUE(traces->skipped.empty());
    ASSERT_EQ(traces->sessions.size(), 6u);
    const auto list = event::pair_spans(traces->sessions[0].steps);
    ASSERT_EQ(list.spans.size(), 2u);
    EXPECT_EQ(list.orphans, 0u);
    const event::Span& workflow = find_call(list, Category::workflow, "workflow");
    EXPECT_NEAR(workflow.duration(), 0.101289, 1e-6);
    const event::Span& call = find_call(list, Category::llm, "mock");
    EXPECT_NEAR(call.duration(), 0.008898019790649414, 1e-6);
    EXPECT_EQ(call.parent_id, workflow.uuid);
    EXPECT_EQ(call.function.function_name, "<workflow>");
    EXPECT_EQ(call.usage.prompt_tokens, 12);
    EXPECT_EQ(call.usage.cached_tokens, 4);
    EXPECT_EQ(call.usage.reasoning_tokens, 1);
    EXPECT_EQ(traces->sessions[0].steps.front().payload.data->input, json::value("What is 1+1?"));
    EXPECT_EQ(traces->sessions[0].steps.back().payload.data->output, json::value("hi there"));
}

TEST(Atif, ToolsOfAResearchSession) {
    const auto traces = read_trace_file(kTests / "data/atif/research.json");
    ASSERT_TRUE(traces) << traces.error().message;
    ASSERT_EQ(traces->sessions.size(), 1u);
    const auto list = event::pair_spans(traces->sessions[0].steps);
    std::size_t models = 0, tools = 0;
    for (const event::Span& span : list.spans) {
        models += span.category == Category::llm;
        tools += span.category == Category::tool;
    }
    EXPECT_EQ(models, 4u);
    EXPECT_GE(tools, 8u);
    const event::Span& search = find_call(list, Category::tool, "search_wiki");
    EXPECT_GT(search.duration(), 0);
    const event::Step& start = traces->sessions[0].steps[search.start_step];
    EXPECT_TRUE(start.payload.data->input.is_object());
    EXPECT_FALSE(traces->sessions[0].steps[*search.end_step].payload.data->output.is_null());
}

TEST(Atif, WhatHasNoTimeIsCountedAndGarbageCostsItself) {
    event::SkipReport skipped;
    const json::value value = {
        {"schema_version", "ATIF-v1.7"},
        {"steps",
         json::array{
             7,
             {{"source", "user"}, {"timestamp", "yesterday"}},
             {{"source", "agent"}, {"model_name", "m"}},
             {{"source", "agent"},
              {"timestamp", "2026-01-01T02:00:01.5+02:00"},
              {"metrics", {{"prompt_tokens", -5}, {"completion_tokens", 9e18}}},
              {"tool_calls", json::array{{{"function_name", "t"}}, "x"}},
              {"extra", {{"tool_invocations", "none"}, {"invocation", {{"start_timestamp", 1e300}, {"end_timestamp", -1e300}}}}}}}}};
    const auto trace = read_atif(value, 3, skipped);
    ASSERT_TRUE(trace.has_value());
    ASSERT_EQ(trace->steps.size(), 1u);
    EXPECT_EQ(trace->steps[0].payload.event_timestamp, 1767225601.5);
    EXPECT_EQ(trace->steps[0].payload.usage_info->token_usage.prompt_tokens, 0);
    EXPECT_EQ(trace->steps[0].payload.usage_info->token_usage.total_tokens, 0);
    EXPECT_EQ(skipped.reasons().at("model call without a time").count, 1u);
    EXPECT_EQ(skipped.reasons().at("tool call without times").count, 2u);
    EXPECT_FALSE(read_atif({{"schema_version", "ATIF-v1.7"}}, 0, skipped).has_value());
    for (const json::value& other : {json::value(), json::value{{"steps", json::array()}}, json::value{{"trajectory", 3}}})
        EXPECT_FALSE(is_atif(other));
}

}  // namespace
}  // namespace plimsoll::record
