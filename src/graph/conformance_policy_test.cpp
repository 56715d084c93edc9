// LangGraph's retries, time limits and caches, case by case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/conformance_cases.h"

namespace plimsoll::graph {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct Count {
    int x = 0;
    int y = 0;
};

StateGraph<Count> one_node(std::function<Result<Update<Count>>()> body, NodeOptions options) {
    StateGraph<Count> graph;
    graph.channel("x", &Count::x);
    graph.channel("y", &Count::y);
    graph.add_node("a", [body](event::Context, Count) { return body(); }, std::move(options));
    graph.add_edge(kStart, "a");
    return graph;
}

RetryPolicy quick() { return {.initial = 1ms, .jitter = false}; }

TEST(Conformance, Case15RetriesAfterGrowingPauses) {
    std::vector<Clock::time_point> times;
    const auto fails_twice = [&]() -> Result<Update<Count>> {
        times.push_back(Clock::now());
        if (times.size() < 3) return fail(ErrorCode::connect, "x");
        return Update<Count>{}.set(&Count::x, static_cast<int>(times.size()));
    };
    const RetryPolicy policy{.initial = 20ms, .factor = 2, .attempts = 3, .jitter = false};
    const auto out = invoke(one_node(fails_twice, {.retry = {policy}}), Count{});
    ASSERT_TRUE(out);
    EXPECT_EQ((json::object{{"x", out->x}}), observed("15", "r"));
    const json::array gaps = observed("15", "gaps_ms_ge").as_array();
    EXPECT_GE(times[1] - times[0], std::chrono::milliseconds(gaps.at(0).as_int64()));
    EXPECT_GE(times[2] - times[1], std::chrono::milliseconds(gaps.at(1).as_int64()));
}

TEST(Conformance, Case16WhatIsRetriedByDefault) {
    const std::vector<std::pair<const char*, Error>> errors = {
        {"ValueError", {ErrorCode::invalid_argument, "v"}}, {"ConnectionError", {ErrorCode::connect, "c"}},
        {"Exception", {ErrorCode::internal, "e"}},          {"OSError", {ErrorCode::io, "o"}},
        {"TimeoutError", {ErrorCode::timeout, "t"}},
    };
    for (const auto& [name, error] : errors) {
        int calls = 0;
        const auto fails = [&]() -> Result<Update<Count>> {
            ++calls;
            return fail(error);
        };
        EXPECT_EQ(code_of(invoke(one_node(fails, {.retry = {quick()}}), Count{})), error.code);
        EXPECT_EQ(calls, observed("16", name).as_int64()) << name;
    }
}

TEST(Conformance, Case34ACachedResultAndItsEnd) {
    Clock::time_point now{};
    int calls = 0;
    StateGraph<Count> graph;
    graph.channel("x", &Count::x);
    graph.channel("y", &Count::y);
    graph.add_node("a",
                   [&](event::Context, Count state) -> Result<Update<Count>> {
                       ++calls;
                       return Update<Count>{}.set(&Count::y, state.x * 2);
                   },
                   {.cache = CachePolicy{.ttl = 1s}});
    graph.add_edge(kStart, "a");
    const auto cache = std::make_shared<MemoryNodeCache>(MemoryNodeCache::kDefaultCapacity, [&] { return now; });
    Thread<Count> thread(compiled(graph, {.cache = cache}));
    EXPECT_EQ(data_of(thread.stream(Count{3}, StreamMode::updates)), observed("34", "e1"));
    EXPECT_EQ(data_of(thread.stream(Count{3}, StreamMode::updates)), observed("34", "e2"));
    EXPECT_EQ(calls, observed("34", "calls_after_2").as_int64());
    now += 1200ms;
    EXPECT_EQ(thread.run(Count{3}).state.y, 6);
    EXPECT_EQ(calls, observed("34", "calls_after_ttl").as_int64());
    EXPECT_EQ(thread.run(Count{4}).state.y, 8);  // another input is another entry
    EXPECT_EQ(calls, 3);
}

asio::awaitable<Result<Update<Count>>> slow_at_first(int* calls, Gate* never) {
    if (++*calls < 2) co_await never->wait();
    co_return Update<Count>{}.set(&Count::x, *calls);
}

TEST(Conformance, Case40ANodeOverItsTime) {
    for (const bool retries : {false, true}) {
        int calls = 0;
        Gate never;
        StateGraph<Count> graph;
        graph.channel("x", &Count::x);
        NodeOptions options{.timeouts = {.run = 20ms}};
        if (retries) options.retry = {quick()};
        graph.add_node("a", [&](event::Context, Count) { return slow_at_first(&calls, &never); }, options);
        graph.add_edge(kStart, "a");
        const auto out = invoke(graph, Count{});
        if (!retries) {
            EXPECT_EQ(code_of(out), ErrorCode::timeout);  // LangGraph: NodeTimeoutError
            continue;
        }
        ASSERT_TRUE(out);
        EXPECT_EQ((json::object{{"x", out->x}}), observed("40", "retry"));
        EXPECT_EQ(calls, observed("40", "calls").as_int64());
    }
}

}  // namespace
}  // namespace plimsoll::graph
