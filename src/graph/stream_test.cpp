// Streams: pace, bounds, ends; states of JSON.
#include "graph/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "graph/conformance_cases.h"
#include "graph/memory_saver.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;

asio::awaitable<void> yield() { co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable); }

asio::awaitable<Result<Update<Trail>>> chatter(StepInfo info, int times, int* written) {
    for (int i = 0; i < times; ++i) {
        co_await info.write(i);
        co_await info.write_message("piece");
        ++*written;
    }
    co_return *leave({"done"});
}

// Reads one chunk for every few turns of the loop.
asio::awaitable<std::size_t> read_slowly(Stream<RunResult<Trail>> stream, std::size_t* most) {
    std::size_t count = 0;
    while (const auto chunk = co_await stream.next()) {
        ++count;
        for (int i = 0; i < 5; ++i) co_await yield();
        *most = std::max(*most, stream.most_held());
    }
    const auto end = co_await stream.finish();
    EXPECT_TRUE(end);
    co_return count;
}

TEST(Stream, ASlowReaderSlowsTheRun) {
    int written = 0;
    auto graph = trail({"after"});
    graph.add_node("talks", [&](event::Context, Trail, StepInfo info) { return chatter(info, 300, &written); });
    graph.add_conditional_edges(kStart, [](const Trail&) { return std::vector<Target>{"talks"}; });
    graph.add_conditional_edges("talks", [](const Trail&) { return std::vector<Target>(400, send("sent", 1)); });
    graph.add_node<int>("sent", [](event::Context, int) { return leave({"s"}); });
    std::size_t most = 0;
    const auto modes = StreamMode::updates | StreamMode::custom | StreamMode::messages | StreamMode::values;
    auto stream = compiled(graph).stream({}, Trail{}, {.modes = modes}, 8);
    EXPECT_EQ(run_on_loop(read_slowly(std::move(stream), &most)), 600u + 1 + 400 + 3);
    EXPECT_LE(most, 8u + 3);
    EXPECT_GE(most, 8u);
}

asio::awaitable<Result<RunResult<Trail>>> read_some(Stream<RunResult<Trail>> stream, int chunks) {
    for (int i = 0; i < chunks; ++i) co_await stream.next();
    co_return co_await stream.finish();
}

TEST(Stream, FinishingEarlyDropsTheRestAndRunsToTheEnd) {
    for (const int chunks : {0, 1, 20}) {
        int written = 0;
        auto graph = trail({});
        graph.add_node("talks", [&](event::Context, Trail, StepInfo info) { return chatter(info, 200, &written); });
        add_chain(graph, {"talks"});
        const auto end = run_on_loop(read_some(compiled(graph).stream({}, Trail{}, {.modes = StreamMode::custom}, 4), chunks));
        ASSERT_TRUE(end);
        EXPECT_THAT(end->state.out, ElementsAre("done"));
        EXPECT_EQ(written, 200);
    }
}

asio::awaitable<Result<int>> read_and_leave(Stream<RunResult<Trail>> stream) {
    co_await stream.next();
    co_return 1;
}

TEST(Stream, LeavingItCancelsTheRun) {
    int written = 0;
    auto graph = trail({});
    graph.add_node("talks", [&](event::Context, Trail, StepInfo info) { return chatter(info, 1'000'000, &written); });
    add_chain(graph, {"talks"});
    EXPECT_TRUE(run_on_loop(read_and_leave(compiled(graph).stream({}, Trail{}, {.modes = StreamMode::custom}, 4))));
    EXPECT_LT(written, 10);
}

TEST(Stream, ErrorsComeAtTheEnd) {
    auto graph = trail({});
    graph.add_node("bad", [](event::Context, Trail) -> Result<Update<Trail>> { return fail(ErrorCode::io, "x"); });
    add_chain(graph, {"bad"});
    EXPECT_EQ(code_of(run_on_loop(read_some(compiled(graph).stream({}, Trail{}), 3))), ErrorCode::io);
}

TEST(Stream, SeveralWritesToOneChannelAreShownInOrder) {
    auto graph = trail({});
    graph.add_node("a", [](event::Context, Trail) -> Result<Update<Trail>> {
        return Update<Trail>{}.set(&Trail::out, {"1"}).set(&Trail::out, {"2"}).set(&Trail::out, {"3"});
    });
    add_chain(graph, {"a"});
    Thread<Trail> thread(compiled(graph));
    const auto updates = data_of(thread.stream(Trail{}, StreamMode::updates));
    EXPECT_EQ(updates, (json::array{{{"a", {{"out", {{"$writes", {{"1"}, {"2"}, {"3"}}}}}}}}}));
    EXPECT_THAT(thread.run(Trail{}).state.out, ElementsAre("1", "2", "3"));
}

TEST(Stream, CheckpointsModeShowsEachAsItIsMade) {
    auto graph = trail({"a", "b"});
    add_chain(graph, {"a", "b"});
    Thread<Trail> thread(compiled(graph, {.saver = std::make_shared<MemorySaver>()}));
    json::array next, steps;
    const auto chunks = data_of(thread.stream(Trail{}, StreamMode::checkpoints));
    for (const json::value& chunk : chunks) {
        next.push_back(*find(chunk, "next"));
        steps.push_back(*find(*find(chunk, "metadata"), "step"));
    }
    EXPECT_EQ(next, (json::array{{"__start__"}, {"a"}, {"b"}, json::array{}}));
    EXPECT_EQ(steps, (json::array{-1, 0, 1, 2}));
    EXPECT_EQ(*find(chunks[1], "parent_config"), *find(chunks[0], "config"));
}

TEST(JsonState, ChannelsByNameOfEveryKind) {
    StateGraph<JsonState> graph;
    graph.channel("last");
    graph.channel("any", any_value());
    graph.channel("all", append());
    graph.channel("sum", reduce<json::value>([](const json::value& a, const json::value& b) { return a.as_int64() + b.as_int64(); }));
    graph.channel("once", ephemeral());
    graph.channel("topic", topic());
    graph.channel("secret", untracked());
    for (const char* name : {"a", "b"}) {
        graph.add_node(name, [](event::Context, const JsonState&) -> Result<json::value> {
            return json::object{{"any", 1}, {"all", {1, 2}}, {"sum", 5}, {"topic", {"t"}}};
        });
        graph.add_edge(kStart, name);
    }
    graph.add_node("c", [](event::Context, const JsonState& state) -> Result<Update<JsonState>> {
        EXPECT_EQ(state.values.at("topic"), (json::array{"t", "t"}));
        EXPECT_FALSE(state.values.contains("last"));
        return Update<JsonState>{}.set("once", state.values.at("sum")).set("secret", "s").overwrite("all", json::array{9});
    });
    graph.add_edge({"a", "b"}, "c");
    const auto out = run_on_loop(compiled(graph).invoke({}, JsonState{}));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->values, (json::object{{"any", 1}, {"sum", 10}, {"once", 10}, {"secret", "s"}, {"all", json::array{9}}}));
    graph.channel("again");
    graph.channel("again");
    EXPECT_EQ(code_of(graph.compile()), ErrorCode::invalid_argument);
}

TEST(JsonState, AppendsListsAndTextsOnly) {
    for (const json::value& bad : std::vector<json::value>{1, json::object{{"a", 1}}, "text"}) {
        StateGraph<JsonState> graph;
        graph.channel("all", append());
        graph.add_node("a", [bad](event::Context, const JsonState&) -> Result<json::value> { return json::object{{"all", bad}}; });
        add_chain(graph, {"a"});
        EXPECT_EQ(code_of(run_on_loop(compiled(graph).invoke({}, JsonState{{{"all", json::array{1}}}}))), ErrorCode::internal);
    }
}

TEST(JsonState, KeepsAThread) {
    StateGraph<JsonState> graph;
    graph.channel("out", append());
    graph.channel("secret", untracked());
    graph.add_node("a",
                   [](event::Context, const JsonState&) -> Result<json::value> { return json::object{{"out", {"a"}}, {"secret", 1}}; });
    graph.add_node("b", [](event::Context, const JsonState& state) -> Result<json::value> {
        EXPECT_FALSE(state.values.contains("secret"));
        return json::object{{"out", {"b"}}};
    });
    add_chain(graph, {"a", "b"});
    Thread<JsonState> thread(compiled(graph, {.saver = std::make_shared<MemorySaver>(), .interrupt_before = {"b"}}));
    thread.run(Update<JsonState>{}.set("out", {"0"}));
    EXPECT_EQ(thread.state().values.values, (json::object{{"out", {"0", "a"}}}));
    EXPECT_EQ(thread.run(Resume{}).state.values, (json::object{{"out", {"0", "a", "b"}}}));
}

}  // namespace
}  // namespace plimsoll::graph
