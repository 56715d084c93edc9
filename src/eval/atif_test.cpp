#include "eval/atif.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"

namespace plimsoll::eval {
namespace {

const std::filesystem::path kSample = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests/goldens/nat-small/eval_run_sample";

json::value read(const char* name) { return parse_json(load_file(kSample / name).value()).value(); }

TEST(Atif, IsWhatNatWrote) {
    const json::value traces = read("all_requests_profiler_traces.json");
    const json::value rows = read("workflow_output.json");
    std::vector<ItemResult> items;
    for (std::size_t i = 0; i < rows.as_array().size(); ++i) {
        ItemResult& item = items.emplace_back();
        item.item.id = rows.at(i).at("id");
        item.item.answer = rows.at(i).at("answer");
        item.output = rows.at(i).at("generated_answer");
        for (const json::value& step : traces.at(i).at("intermediate_steps").as_array())
            item.steps.push_back(event::parse_step(step).value());
    }
    const json::value ours = make_atif_output(items);
    const json::value nats = read("workflow_output_atif.json");
    ASSERT_EQ(ours.as_array().size(), nats.as_array().size());
    for (std::size_t i = 0; i < items.size(); ++i) EXPECT_EQ(to_pretty_json(ours.at(i)), to_pretty_json(nats.at(i)));
}

event::Step make_step(const char* type, double time, const char* uuid, const char* name, json::value output = nullptr) {
    event::Step step;
    step.payload.event_type = event::parse_event_type(type).value();
    step.payload.event_timestamp = time;
    step.payload.uuid = uuid;
    step.payload.name = name;
    step.payload.data = event::StepData{.input = "in", .output = std::move(output)};
    return step;
}

TEST(Atif, ToolsBelongToTheCallBeforeThem) {
    ItemResult item;
    item.item.id = 7;
    item.steps = {make_step("WORKFLOW_START", 1, "w", "wf"),       make_step("TOOL_END", 2, "t0", "early", "none yet"),
                  make_step("LLM_END", 3, "l", "model", "use it"), make_step("TOOL_END", 4, "t1", "clock", {{"time", 5}}),
                  make_step("FUNCTION_END", 5, "f", "helper"),     make_step("FUNCTION_END", 6, "x", "<workflow>", "done"),
                  make_step("LLM_END", 2.5, "l0", "model", ""),    make_step("WORKFLOW_END", 7, "w", "wf", "done")};
    item.steps[3].payload.span_event_timestamp = 3.5;
    const json::value out = make_atif_output(std::vector{item}).at(0);
    EXPECT_EQ(out.at("trajectory").at("session_id"), "builtins.int:7");
    const json::array& steps = out.at("trajectory").at("steps").as_array();
    ASSERT_EQ(steps.size(), 5u);
    EXPECT_EQ(steps[1].at("tool_calls").at(0).at("function_name"), "early") << "no call to belong to";
    EXPECT_TRUE(steps[2].at("tool_calls").is_null()) << "by time, not by order";
    const json::value& call = steps[3];
    EXPECT_EQ(call.at("message"), "use it");
    EXPECT_TRUE(call.at("metrics").is_null());
    ASSERT_EQ(call.at("tool_calls").as_array().size(), 2u);
    EXPECT_EQ(call.at("tool_calls").at(0),
              parse_json(R"({"tool_call_id":"call_t1","function_name":"clock","arguments":{"input":"in"},"extra":null})").value());
    EXPECT_EQ(call.at("observation").at("results").at(0), parse_json(R"({"source_call_id":"call_t1","content":"{\"time\":5}"})").value());
    EXPECT_EQ(call.at("extra").at("tool_invocations").at(0),
              parse_json(R"({"start_timestamp":3.5,"end_timestamp":4.0,"invocation_id":"call_t1","status":"completed"})").value());
    EXPECT_EQ(call.at("extra").at("tool_ancestry").as_array().size(), 2u);
    EXPECT_EQ(steps[4].at("message"), "done");
    EXPECT_EQ(out.at("trajectory").at("final_metrics").at("total_steps"), 4);
}

TEST(Atif, AnItemWithoutStepsHasAnEmptyTrajectory) {
    ItemResult item;
    item.item.id = "a'b";
    const json::value out = make_atif_output(std::vector{item}).at(0);
    EXPECT_EQ(out.at("trajectory").at("session_id"), "builtins.str:\"a'b\"");
    EXPECT_TRUE(out.at("trajectory").at("steps").as_array().empty());
}

}  // namespace
}  // namespace plimsoll::eval
