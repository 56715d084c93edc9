#include "graph/run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <memory>

#include "event/span.h"
#include "graph/state_graph.h"
#include "graph/test_loop.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

struct State {
    std::string text;
    std::vector<int> items;
    std::vector<int> board;
    std::string note;
    int sum = 0;
};

Result<Update<State>> nothing(event::Context, const State&) { return Update<State>{}; }

StateGraph<State> make_graph() {
    StateGraph<State> graph;
    graph.channel("text", &State::text);
    graph.channel("items", &State::items, append());
    graph.channel("sum", &State::sum, reduce<int>(std::plus<int>()));
    return graph;
}

Result<State> invoke(const StateGraph<State>& graph, State initial = {}, RunOptions options = {}, event::Context context = {}) {
    const auto compiled = graph.compile();
    if (!compiled) return fail(compiled.error());
    return run_on_loop(compiled->invoke(std::move(context), std::move(initial), std::move(options)));
}

ErrorCode code_of(const Result<State>& result) {
    EXPECT_FALSE(result);
    return result ? ErrorCode::internal : result.error().code;
}

TEST(Compile, ReportsEveryProblemAtOnce) {
    auto graph = make_graph();
    graph.channel("text", &State::note);
    graph.channel("again", &State::sum);
    for (const char* name : {"a", "a", "__start__", "x:y", ""}) graph.add_node(name, nothing);
    graph.add_node<int>("takes_int", [](event::Context, int) -> Result<Update<State>> { return Update<State>{}; });
    graph.add_edge("a", "nowhere");
    graph.add_edge("nobody", "a");
    graph.add_edge("a", "takes_int");
    graph.add_edge(kEnd, "a");
    graph.add_edge("a", kStart);
    graph.add_edge({"a", kStart}, "a");
    graph.add_edge(std::vector<std::string>{}, "a");
    graph.add_conditional_edges("ghost", [](const State&) { return kEnd; });
    const auto compiled = graph.compile();
    ASSERT_FALSE(compiled);
    EXPECT_EQ(compiled.error().code, ErrorCode::invalid_argument);
    for (const char* part :
         {"channel text", "channel again", "node a: defined twice", "node __start__", "node x:y", "no name", "to nowhere", "from nobody",
          "to takes_int", "from __end__", "to __start__", "from nowhere", "from ghost", "no entry"})
        EXPECT_THAT(compiled.error().message, HasSubstr(part)) << part;
}

TEST(Compile, AllowsUnreachableNodesAndDoubleEdges) {
    auto graph = make_graph();
    graph.add_node("a", [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::items, {1}); });
    graph.add_node("island", nothing);
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "a");
    const auto out = invoke(graph);
    ASSERT_TRUE(out);
    EXPECT_THAT(out->items, ElementsAre(1));
}

TEST(Run, AGraphThatGoesNowhereReturnsItsInput) {
    auto graph = make_graph();
    graph.add_edge(kStart, kEnd);
    const auto out = invoke(graph, {.text = "in"});
    ASSERT_TRUE(out);
    EXPECT_EQ(out->text, "in");
}

TEST(Run, ABarrierFiresAgainOnlyAfterAllItsSourcesRanAgain) {
    auto graph = make_graph();
    const auto add = [&](const std::string& name, int item) {
        graph.add_node(name, [item](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::items, {item}); });
    };
    add("a", 1);
    add("b", 2);
    add("join", 3);
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    graph.add_edge({"a", "b"}, "join");
    graph.add_conditional_edges("join", [](const State& state) {  // round 2 runs both, round 3 only one
        if (state.items.size() == 3) return std::vector<Target>{"a", "b"};
        return std::vector<Target>{"a"};
    });
    const auto out = invoke(graph);
    ASSERT_TRUE(out);
    EXPECT_THAT(out->items, ElementsAre(1, 2, 3, 1, 2, 3, 1));
}

TEST(Run, ADeferredNodeWaitsForPendingSendsAndMayRunAgain) {
    auto graph = make_graph();
    graph.add_node("fan", nothing);
    graph.add_node<int>("work", [](event::Context, int i) -> Result<Update<State>> { return Update<State>{}.set(&State::items, {i}); });
    graph.add_node("last", [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::items, {100}); },
                   {.defer = true});
    graph.add_edge(kStart, "fan");
    graph.add_edge("fan", "last");
    graph.add_conditional_edges("fan", [](const State&) { return std::vector<Target>{send("work", 1), send("work", 2)}; });
    graph.add_conditional_edges("last", [](const State& state) { return state.items.size() < 6 ? Target("fan") : Target(kEnd); });
    const auto out = invoke(graph);
    ASSERT_TRUE(out);
    EXPECT_THAT(out->items, ElementsAre(1, 2, 100, 1, 2, 100));
}

TEST(Run, TransientChannelsLastOneStep) {
    auto graph = make_graph();
    graph.channel("note", &State::note, ephemeral());
    graph.channel("board", &State::board, topic());
    std::vector<std::string> seen;
    const auto look = [&](event::Context, const State& state, StepInfo info) -> Result<Update<State>> {
        seen.push_back(fmt::format("{}{}", state.note, state.board.size()));
        Update<State> update;
        if (info.task.step == 2) update.set(&State::note, "two").set(&State::board, {1, 2});
        return update;
    };
    for (const char* name : {"a", "b", "c", "d"}) graph.add_node(name, look);
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "b");
    graph.add_edge("b", "c");
    graph.add_edge("c", "d");
    const auto out = invoke(graph, {.board = {7}, .note = "in"});
    ASSERT_TRUE(out);
    EXPECT_THAT(seen, ElementsAre("in1", "0", "two2", "0"));
    EXPECT_EQ(out->note, "");
}

TEST(Run, AccumulatingTopicsKeepEverything) {
    auto graph = make_graph();
    graph.channel("board", &State::board, topic(true));
    for (const char* name : {"a", "b"})
        graph.add_node(name, [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::board, {1, 2}); });
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    const auto out = invoke(graph, {.board = {0}});
    ASSERT_TRUE(out);
    EXPECT_THAT(out->board, ElementsAre(0, 1, 2, 1, 2));
}

TEST(Run, ChannelsOfOneStepGetOneVersion) {
    auto graph = make_graph();
    graph.add_node(
        "a", [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::text, "a").set(&State::sum, 1); });
    graph.add_node("b", [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::items, {1}); });
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "b");
    std::vector<std::vector<std::uint64_t>> versions;
    RunOptions options;
    options.on_event = [&](const StreamEvent& event) {
        if (event.kind == StreamEvent::Kind::values) versions.push_back({event.versions.begin(), event.versions.end()});
    };
    ASSERT_TRUE(invoke(graph, {}, options));
    EXPECT_THAT(versions, ElementsAre(ElementsAre(1, 1, 1), ElementsAre(2, 1, 2), ElementsAre(2, 3, 2)));
}

TEST(Run, ExceptionsBecomeInternalErrors) {
    const auto run_with = [](auto fn) {
        auto graph = make_graph();
        graph.add_node("a", fn);
        graph.add_node("b", nothing);
        graph.add_edge(kStart, "a");
        graph.add_edge(kStart, "b");
        return invoke(graph);
    };
    const auto thrown = run_with([](event::Context, State) -> Result<Update<State>> { throw std::runtime_error("broken"); });
    EXPECT_EQ(code_of(thrown), ErrorCode::internal);
    EXPECT_THAT(thrown.error().message, HasSubstr("broken"));
    EXPECT_EQ(code_of(run_with([](event::Context, State) -> Result<Update<State>> { throw 7; })), ErrorCode::internal);

    auto bad_router = make_graph();
    bad_router.add_conditional_edges(kStart, [](const State&) -> Target { throw std::runtime_error("lost"); });
    EXPECT_EQ(code_of(invoke(bad_router)), ErrorCode::internal);

    auto bad_reducer = make_graph();
    bad_reducer.channel("note", &State::note,
                        reduce<std::string>([](std::string, std::string) -> std::string { throw std::runtime_error("no"); }));
    bad_reducer.add_node("a", [](event::Context, State) -> Result<Update<State>> { return Update<State>{}.set(&State::note, "x"); });
    bad_reducer.add_edge(kStart, "a");
    EXPECT_EQ(code_of(invoke(bad_reducer)), ErrorCode::internal);

    auto fine = make_graph();
    fine.add_node("a", nothing);
    fine.add_edge(kStart, "a");
    RunOptions bad_callback;
    bad_callback.on_event = [](const StreamEvent&) { throw std::runtime_error("callback"); };
    EXPECT_EQ(code_of(invoke(fine, {}, bad_callback)), ErrorCode::internal);
}

TEST(Run, TooManySendsAreALimit) {
    auto graph = make_graph();
    graph.add_node<int>("work", [](event::Context, int) -> Result<Update<State>> { return Update<State>{}; });
    graph.add_conditional_edges(kStart, [](const State&) { return std::vector<Target>(kMaxTasksPerStep + 1, send("work", 1)); });
    EXPECT_EQ(code_of(invoke(graph)), ErrorCode::limit);
}

// Counts itself while it is alive.
class Alive {
  public:
    explicit Alive(int* count) : count_(count) { ++*count_; }
    ~Alive() { --*count_; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;

  private:
    int* count_;
};

asio::awaitable<Result<Update<State>>> yield_often(int* alive, std::function<void()> between, int times) {
    const Alive self(alive);
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < times; ++i) {
        co_await asio::post(executor, asio::use_awaitable);
        between();
    }
    co_return Update<State>{}.set(&State::items, {times}).set(&State::sum, 1);
}

asio::awaitable<Result<Update<State>>> wait_forever(int* alive, Gate* gate) {
    const Alive self(alive);
    co_await gate->wait();
    co_return Update<State>{};
}

// Runs invoke() and lets `cancel` be called from inside; nothing when the coroutine ended in an exception.
std::optional<Result<State>> run_cancellable(const StateGraph<State>& graph, asio::cancellation_signal& cancel) {
    asio::io_context loop;
    std::optional<Result<State>> result;
    asio::co_spawn(loop, graph.compile()->invoke({}, {}),
                   asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr exception, Result<State> out) {
                       if (!exception) result = std::move(out);
                   }));
    loop.run();  // returns only when no task is left waiting
    return result;
}

TEST(Run, CancellingJoinsEveryTask) {
    int alive = 0;
    Gate never;
    asio::cancellation_signal cancel;
    auto graph = make_graph();
    for (const char* name : {"a", "b", "c"}) graph.add_node(name, [&](event::Context, State) { return wait_forever(&alive, &never); });
    graph.add_node("trigger", [&](event::Context, State) {
        return yield_often(
            &alive,
            [&] {
                EXPECT_EQ(alive, 4);
                cancel.emit(asio::cancellation_type::terminal);
            },
            1);
    });
    for (const char* name : {"a", "b", "c", "trigger"}) graph.add_edge(kStart, name);
    const auto out = run_cancellable(graph, cancel);
    ASSERT_TRUE(out);
    EXPECT_EQ(code_of(*out), ErrorCode::cancelled);
    EXPECT_EQ(alive, 0);
}

TEST(Run, CancellingReachesASingleTaskAndInnerGraphs) {
    int alive = 0;
    Gate never;
    asio::cancellation_signal cancel;
    auto inner = make_graph();
    inner.add_node("wait", [&](event::Context, State) { return wait_forever(&alive, &never); });
    inner.add_node("trigger",
                   [&](event::Context, State) { return yield_often(&alive, [&] { cancel.emit(asio::cancellation_type::terminal); }, 1); });
    inner.add_edge(kStart, "wait");
    inner.add_edge(kStart, "trigger");
    auto outer = make_graph();
    outer.add_node("sub", *inner.compile());
    outer.add_edge(kStart, "sub");
    const auto out = run_cancellable(outer, cancel);
    ASSERT_TRUE(out);
    EXPECT_EQ(code_of(*out), ErrorCode::cancelled);
    EXPECT_EQ(alive, 0);
}

// A graph of several rounds of parallel, plain, nested and sent tasks, cancelled at the n-th point where control passes.
TEST(Run, CancelAtAThousandRandomPoints) {
    Random random(42);
    int cancelled = 0;
    for (int round = 0; round < 1000; ++round) {
        int alive = 0;
        int countdown = static_cast<int>(random.uniform(0, 45));
        asio::cancellation_signal cancel;
        const std::function<void()> point = [&] {
            if (countdown-- == 0) cancel.emit(asio::cancellation_type::terminal);
        };
        auto inner = make_graph();
        inner.add_node("deep", [&](event::Context, State) { return yield_often(&alive, point, 2); });
        inner.add_edge(kStart, "deep");

        auto graph = make_graph();
        graph.add_node("sub", *inner.compile());
        graph.add_node("slow", [&](event::Context, State) { return yield_often(&alive, point, 3); });
        graph.add_node("plain", [&](event::Context, State) -> Result<Update<State>> {
            point();
            return Update<State>{};
        });
        graph.add_node("alone", [&](event::Context, State) { return yield_often(&alive, point, 1); });
        graph.add_node<int>("sent", [&](event::Context, int times) { return yield_often(&alive, point, times); });
        for (const char* name : {"sub", "slow", "plain"}) graph.add_edge(kStart, name);
        graph.add_edge({"sub", "slow", "plain"}, "alone");
        graph.add_conditional_edges("alone", [&](const State& state) {
            point();
            if (state.sum > 40) return std::vector<Target>{kEnd};
            return std::vector<Target>{send("sent", 1), send("sent", 2), send("sent", 0), "slow", "sub", "plain"};
        });
        const auto out = run_cancellable(graph, cancel);
        ASSERT_TRUE(out) << "round " << round;
        EXPECT_EQ(alive, 0) << "round " << round;
        if (!*out) {
            ++cancelled;
            EXPECT_EQ(out->error().code, ErrorCode::cancelled) << "round " << round << ": " << out->error().message;
        }
    }
    EXPECT_GT(cancelled, 500);
}

TEST(Run, ALoopThatDiesWithARunInsideFreesIt) {
    int alive = 0;
    Gate never;
    auto graph = make_graph();
    for (const char* name : {"a", "b"}) graph.add_node(name, [&](event::Context, State) { return wait_forever(&alive, &never); });
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    {
        asio::io_context loop;
        asio::co_spawn(loop, graph.compile()->invoke({}, {}), [](std::exception_ptr, Result<State>) { FAIL(); });
        loop.poll();
        EXPECT_EQ(alive, 2);
    }
    EXPECT_EQ(alive, 0);
}

TEST(Run, RecordsEachNodeAsAFunctionSpan) {
    auto graph = make_graph();
    graph.add_node("first", [](event::Context context, State) -> Result<Update<State>> {
        event::ScopedSpan tool(context, event::Category::tool, "look", "x");
        tool.end();
        return Update<State>{}.set(&State::text, "t").set(&State::items, {1});
    });
    graph.add_node("second", [](event::Context, State) -> Result<Update<State>> { return fail(ErrorCode::timeout, "late"); },
                   {.name = "shown"});
    graph.add_edge(kStart, "first");
    graph.add_edge("first", "second");
    double now = 0;
    const auto session = event::Session::make({}, {}, [&] { return now += 1; }, 1);
    EXPECT_EQ(code_of(invoke(graph, {}, {}, session->root())), ErrorCode::timeout);

    const auto spans = event::pair_spans(session->steps());
    ASSERT_EQ(spans.spans.size(), 3u);
    EXPECT_EQ(spans.orphans, 0u);
    const auto& [first, tool, second] = std::tie(spans.spans[0], spans.spans[1], spans.spans[2]);
    EXPECT_EQ(first.name, "first");
    EXPECT_EQ(first.category, event::Category::function);
    EXPECT_EQ(first.parent_id, "root");
    EXPECT_EQ(tool.parent_id, first.uuid);
    EXPECT_EQ(tool.function.function_name, "first");
    EXPECT_EQ(session->steps()[*first.end_step].payload.data->output, (json::array{"text", "items"}));
    EXPECT_EQ(second.name, "shown");
    ASSERT_TRUE(second.error);
    EXPECT_EQ(second.error->code, ErrorCode::timeout);
}

TEST(Run, SpansOfCancelledNodesAreClosed) {
    int alive = 0;
    Gate never;
    auto graph = make_graph();
    graph.add_node("slow", [&](event::Context, State) { return wait_forever(&alive, &never); });
    graph.add_node("z_bad", [](event::Context, State) -> Result<Update<State>> { return fail(ErrorCode::io, "bad"); });
    graph.add_edge(kStart, "slow");
    graph.add_edge(kStart, "z_bad");
    double now = 0;
    const auto session = event::Session::make({}, {}, [&] { return now += 1; }, 1);
    EXPECT_EQ(code_of(invoke(graph, {}, {}, session->root())), ErrorCode::io);
    const auto spans = event::pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 2u);
    ASSERT_TRUE(spans[0].error && spans[1].error);
    EXPECT_EQ(spans[0].error->code, ErrorCode::cancelled);
    EXPECT_EQ(spans[1].error->code, ErrorCode::io);
}

}  // namespace
}  // namespace plimsoll::graph
