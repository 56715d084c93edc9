// Attempts, time limits, error handlers and caches beyond the recorded cases.
#include "graph/node_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "graph/conformance_cases.h"

namespace plimsoll::graph {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

RetryPolicy quick(int attempts = 3) { return {.initial = 1ms, .attempts = attempts, .jitter = false}; }

Result<Trail> run_failing(ErrorCode code, std::vector<RetryPolicy> retry, int& calls, bool throws = false) {
    auto graph = trail({});
    graph.add_node("a",
                   [&calls, code, throws](event::Context, Trail) -> Result<Update<Trail>> {
                       ++calls;
                       if (throws) throw std::runtime_error("thrown");
                       return fail(code, "always");
                   },
                   {.retry = std::move(retry)});
    add_chain(graph, {"a"});
    return invoke(graph, Trail{});
}

TEST(Retry, TheFirstPolicyThatWantsTheFailureCounts) {
    auto only_io = quick(2);
    only_io.retry_on = [](const NodeFailure& failure) { return failure.error.code == ErrorCode::io; };
    auto anything = quick(4);
    anything.retry_on = [](const NodeFailure&) { return true; };
    int io = 0, other = 0, thrown = 0, once = 0;
    EXPECT_EQ(code_of(run_failing(ErrorCode::io, {only_io, anything}, io)), ErrorCode::io);
    EXPECT_EQ(code_of(run_failing(ErrorCode::parse, {only_io, anything}, other)), ErrorCode::parse);
    EXPECT_EQ(code_of(run_failing(ErrorCode::parse, {quick()}, thrown, true)), ErrorCode::internal);
    EXPECT_EQ(code_of(run_failing(ErrorCode::internal, {quick(1)}, once)), ErrorCode::internal);
    EXPECT_THAT((std::vector{io, other, thrown, once}), ElementsAre(2, 4, 3, 1));
}

TEST(Retry, ServerErrorsOnly) {
    EXPECT_TRUE(is_worth_retrying({{.code = ErrorCode::http_status, .message = {}, .http_status = 503}, false}));
    EXPECT_FALSE(is_worth_retrying({{.code = ErrorCode::http_status, .message = {}, .http_status = 404}, false}));
    EXPECT_TRUE(is_worth_retrying({{ErrorCode::timeout, ""}, true}));
    EXPECT_FALSE(is_worth_retrying({{ErrorCode::timeout, ""}, false}));
    for (const auto code : {ErrorCode::cancelled, ErrorCode::limit, ErrorCode::not_found, ErrorCode::no_space, ErrorCode::unsupported})
        EXPECT_FALSE(is_worth_retrying({{code, ""}, false}));
}

TEST(Retry, ThePauseIsCancelled) {
    int calls = 0;
    auto graph = trail({});
    graph.add_node("a",
                   [&](event::Context, Trail) -> Result<Update<Trail>> {
                       ++calls;
                       return fail(ErrorCode::connect, "no");
                   },
                   {.retry = {{.initial = 1h}}});
    graph.add_node("z", [](event::Context, Trail) -> Result<Update<Trail>> { return fail(ErrorCode::io, "stop"); });
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "z");
    EXPECT_EQ(code_of(invoke(graph, Trail{})), ErrorCode::io);
    EXPECT_EQ(calls, 1);
}

asio::awaitable<Result<Update<Trail>>> beat(StepInfo info, int beats, bool heart) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    for (int i = 0; i < beats; ++i) {
        timer.expires_after(10ms);
        co_await timer.async_wait(asio::use_awaitable);
        if (heart) info.heartbeat();
    }
    co_return *leave({"alive"});
}

TEST(Timeouts, IdleIsSinceTheLastSignOfLife) {
    for (const bool heart : {true, false}) {
        auto graph = trail({});
        graph.add_node("a", [heart](event::Context, Trail, StepInfo info) { return beat(info, 15, heart); }, {.timeouts = {.idle = 100ms}});
        add_chain(graph, {"a"});
        const auto out = invoke(graph, Trail{});
        if (heart)
            EXPECT_THAT(out->out, ElementsAre("alive"));
        else
            EXPECT_EQ(code_of(out), ErrorCode::timeout);
    }
}

TEST(Timeouts, TheWholeRunCountsEvenWithSignsOfLife) {
    auto graph = trail({});
    graph.add_node("a", [](event::Context, Trail, StepInfo info) { return beat(info, 1000, true); },
                   {.timeouts = {.run = 30ms, .idle = 10s}});
    add_chain(graph, {"a"});
    EXPECT_EQ(code_of(invoke(graph, Trail{})), ErrorCode::timeout);
}

asio::awaitable<Result<Update<Trail>>> ignore_cancellation(int* ended) {
    co_await asio::this_coro::throw_if_cancelled(false);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(1h);
    boost::system::error_code ignored;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));  // ended by the cancellation
    for (int i = 0; i < 3; ++i) co_await asio::post(asio::use_awaitable);
    ++*ended;
    co_return *leave({"too late"});
}

TEST(Timeouts, ANodeThatIgnoresItsEndIsWaitedForAndItsResultDropped) {
    int ended = 0;
    auto graph = trail({});
    graph.add_node("a", [&](event::Context, Trail) { return ignore_cancellation(&ended); }, {.timeouts = {.run = 1ms}});
    add_chain(graph, {"a"});
    EXPECT_EQ(code_of(invoke(graph, Trail{})), ErrorCode::timeout);
    EXPECT_EQ(ended, 1);
}

TEST(Timeouts, AreForCoroutines) {
    auto graph = trail({});
    add_named(graph, "a", {.timeouts = {.run = 1ms}});
    add_chain(graph, {"a"});
    EXPECT_EQ(code_of(graph.compile()), ErrorCode::invalid_argument);
}

TEST(ErrorHandler, TakesThePlaceOfANodeThatFailsForGood) {
    int calls = 0;
    std::vector<ErrorCode> seen;
    auto graph = trail({"next"});
    graph.add_node("a",
                   [&](event::Context, Trail) -> Result<Update<Trail>> {
                       ++calls;
                       return fail(ErrorCode::connect, "no");
                   },
                   {.retry = {quick(2)}});
    graph.on_error("a", [&](event::Context, const Trail& state, const Error& error) -> Result<Update<Trail>> {
        seen.push_back(error.code);
        return Update<Trail>{}.set(&Trail::out, {"instead of " + std::to_string(state.out.size())}).go_to("next");
    });
    add_chain(graph, {"a"});
    EXPECT_THAT(invoke(graph, Trail{{"0"}})->out, ElementsAre("0", "instead of 1", "next"));
    EXPECT_EQ(calls, 2);
    EXPECT_THAT(seen, ElementsAre(ErrorCode::connect));
    graph.on_error("nobody", [](event::Context, const Trail&, const Error&) -> Result<Update<Trail>> { return Update<Trail>{}; });
    EXPECT_EQ(code_of(graph.compile()), ErrorCode::invalid_argument);
}

TEST(NodeCache, HoldsWhereAResultWentAndOfWhichArgument) {
    int calls = 0;
    auto graph = trail({"end"});
    graph.add_node<int>("sent",
                        [&](event::Context, int i) -> Result<Update<Trail>> {
                            ++calls;
                            return Update<Trail>{}.set(&Trail::out, {std::to_string(i)}).go_to("end");
                        },
                        {.cache = CachePolicy{}});
    graph.add_conditional_edges(kStart,
                                [](const Trail&) { return std::vector<Target>{send("sent", 1), send("sent", 2), send("sent", 1)}; });
    EXPECT_EQ(code_of(graph.compile()), ErrorCode::invalid_argument);  // no cache
    const auto with_cache = compiled(graph, {.cache = std::make_shared<MemoryNodeCache>()});
    for (int round = 0; round < 2; ++round)
        EXPECT_THAT(run_on_loop(with_cache.invoke({}, Trail{}))->out, ElementsAre("1", "2", "1", "end"));
    EXPECT_LE(calls, 3);
    EXPECT_GE(calls, 2);
}

TEST(NodeCache, ForgetsTheOldest) {
    MemoryNodeCache cache(2);
    const std::vector<PendingWrite> writes(1);
    for (const char* key : {"a", "b", "a", "c"}) cache.put(key, writes, std::nullopt);
    EXPECT_TRUE(cache.get("a"));
    EXPECT_FALSE(cache.get("b"));
    EXPECT_TRUE(cache.get("c"));
    cache.put("d", writes, 0ms);
    EXPECT_FALSE(cache.get("d"));
    EXPECT_FALSE(cache.get("d"));
}

}  // namespace
}  // namespace plimsoll::graph
