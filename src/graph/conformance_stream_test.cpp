// What LangGraph's streams show, case by case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/conformance_cases.h"

namespace plimsoll::graph {
namespace {

struct Number {
    int x = 0;
};

asio::awaitable<Result<Update<Number>>> tell_and_write(StepInfo info) {
    co_await info.write({{"p", 1}});
    co_return Update<Number>{}.set(&Number::x, 1);
}

CompiledGraph<Number> telling() {
    StateGraph<Number> graph;
    graph.channel("x", &Number::x);
    graph.add_node("a", [](event::Context, Number, StepInfo info) { return tell_and_write(info); });
    graph.add_node("b", [](event::Context, Number) -> Result<Update<Number>> { return Update<Number>{}.set(&Number::x, 2); });
    add_chain(graph, {"a", "b"});
    return compiled(graph);
}

std::string name_of(StreamMode mode) {
    switch (mode) {
        case StreamMode::values: return "values";
        case StreamMode::updates: return "updates";
        case StreamMode::custom: return "custom";
        default: return "other";
    }
}

TEST(Conformance, Case30Modes) {
    Thread<Number> thread(telling());
    EXPECT_EQ(data_of(thread.stream(Number{}, StreamMode::values)), observed("30", "values"));
    EXPECT_EQ(data_of(thread.stream(Number{}, StreamMode::updates)), observed("30", "updates"));
    EXPECT_EQ(data_of(thread.stream(Number{}, StreamMode::custom)), observed("30", "custom"));
    json::array multi, tasks, debug;
    for (const auto& chunk : thread.stream(Number{}, StreamMode::values | StreamMode::updates | StreamMode::custom))
        multi.push_back({json::string(name_of(chunk.mode)), chunk.data});
    EXPECT_EQ(multi, observed("30", "multi"));
    for (const auto& chunk : thread.stream(Number{}, StreamMode::tasks)) {
        Names keys;
        for (const auto& [key, value] : chunk.data.as_object()) keys.emplace_back(key);
        std::ranges::sort(keys);
        tasks.push_back(json::value_from(keys));
    }
    EXPECT_EQ(tasks, observed("30", "tasks"));
    for (const auto& chunk : thread.stream(Number{}, StreamMode::debug))
        debug.push_back({*find(chunk.data, "type"), *find(chunk.data, "step")});
    EXPECT_EQ(debug, observed("30", "debug"));
}

TEST(Conformance, Case31ANodeThatWritesNothing) {
    StateGraph<Number> graph;
    graph.channel("x", &Number::x);
    graph.add_node("a", [](event::Context, Number) -> Result<Update<Number>> { return Update<Number>{}; });
    graph.add_node("b", [](event::Context, Number) -> Result<Update<Number>> { return Update<Number>{}.set(&Number::x, 2); });
    add_chain(graph, {"a", "b"});
    Thread<Number> thread(compiled(graph));
    EXPECT_EQ(data_of(thread.stream(Number{}, StreamMode::updates)), observed("31", "updates"));
    EXPECT_EQ(data_of(thread.stream(Number{}, StreamMode::values)), observed("31", "values"));
}

TEST(Conformance, Case36AnInnerGraphItsSpaceAndItsWholeList) {
    auto inner = trail({"c"});
    add_chain(inner, {"c"});
    auto outer = trail({"z"});
    outer.add_node("sub", compiled(inner));
    add_chain(outer, {"sub", "z"});
    Thread<Trail> thread(compiled(outer));
    EXPECT_EQ((json::object{{"out", json::value_from(thread.run(Trail{{"0"}}).state.out)}}), observed("36", "final"));
    json::array events;
    for (const auto& chunk : thread.stream(Trail{{"0"}}, StreamMode::updates, true)) {
        json::array space;
        if (!chunk.space.empty()) space.emplace_back(chunk.space.substr(0, chunk.space.find(':')));
        events.push_back({std::move(space), chunk.data});
    }
    EXPECT_EQ(events, observed("36", "events"));
}

}  // namespace
}  // namespace plimsoll::graph
