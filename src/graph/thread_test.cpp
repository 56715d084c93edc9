// What a thread remembers: across failures, restarts, forks and updates; inner graphs; channels that are not kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "graph/conformance_cases.h"
#include "graph/memory_saver.h"
#include "graph/sqlite_saver.h"
#include "graph/test_saver.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CompileOptions with_saver() { return {.saver = std::make_shared<MemorySaver>()}; }

TEST(Thread, NeedsASaverThreadAndKnownCheckpoint) {
    auto graph = trail({"a"});
    add_chain(graph, {"a"});
    EXPECT_EQ(code_of(run_on_loop(compiled(graph).get_state({"t", "", ""}))), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(run_on_loop(compiled(graph, with_saver()).run({}, Trail{}))), ErrorCode::invalid_argument);  // no thread
    Thread<Trail> thread(compiled(graph, with_saver()));
    EXPECT_EQ(code_of(thread.try_run(Resume{})), ErrorCode::invalid_argument);  // nothing to go on from
    EXPECT_EQ(code_of(thread.try_run(Resume{}, "no such id")), ErrorCode::not_found);
    EXPECT_TRUE(thread.state().key.id.empty());
    EXPECT_THAT(thread.history(), IsEmpty());
}

struct Opaque {
    std::vector<std::shared_ptr<int>> pointers;
    int kept = 0;
};

TEST(Thread, WhatCannotBeSavedIsNamedAtOnce) {
    StateGraph<Opaque> graph;
    graph.channel("pointers", &Opaque::pointers);
    graph.add_node<std::shared_ptr<int>>("sent",
                                         [](event::Context, std::shared_ptr<int>) -> Result<Update<Opaque>> { return Update<Opaque>{}; });
    graph.add_node("a", [](event::Context, const Opaque&) -> Result<Update<Opaque>> { return Update<Opaque>{}; });
    graph.add_edge(kStart, "a");
    EXPECT_TRUE(graph.compile());
    const auto refused = graph.compile(with_saver());
    EXPECT_EQ(code_of(refused), ErrorCode::invalid_argument);
    EXPECT_THAT(refused.error().message, testing::AllOf(testing::HasSubstr("channel pointers"), testing::HasSubstr("node sent")));
}

TEST(Thread, UntrackedAndTransientChannels) {
    StateGraph<Opaque> graph;
    graph.channel("pointers", &Opaque::pointers, untracked());
    graph.channel("kept", &Opaque::kept);
    std::vector<std::size_t> seen;
    const auto look = [&](event::Context, const Opaque& state) -> Result<Update<Opaque>> {
        seen.push_back(state.pointers.size());
        return Update<Opaque>{}.set(&Opaque::kept, state.kept + 1);
    };
    graph.add_node("a", look);
    graph.add_node("b", look);
    add_chain(graph, {"a", "b"});
    CompileOptions options = with_saver();
    options.interrupt_after = {"a"};
    Thread<Opaque> thread(compiled(graph, options));
    thread.run(Opaque{{std::make_shared<int>(1)}, 0});
    EXPECT_EQ(thread.run(Resume{}).state.kept, 2);
    EXPECT_THAT(seen, ElementsAre(1u, 0u));  // the second run comes from the checkpoint
}

// One step of three: two end well in different ways, one fails at first.
TEST(Thread, PendingWritesOfEveryKindSurviveInEveryDurability) {
    for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
        std::map<std::string, int> calls;
        bool fails = true;
        auto graph = trail({"after"});
        graph.add_node("goes", [&](event::Context, Trail) -> Result<Update<Trail>> {
            ++calls["goes"];
            return Update<Trail>{}
                .set(&Trail::out, {"goes"})
                .set(&Trail::out, {"again"})
                .go_to("after")
                .go_to(send("sent", std::string("s")));
        });
        graph.add_node<std::string>("sent", [](event::Context, const std::string& text) { return leave({text}); });
        graph.add_node("silent", [&](event::Context, Trail) -> Result<Update<Trail>> {
            ++calls["silent"];
            return Update<Trail>{};
        });
        graph.add_node("weak", [&](event::Context, Trail) -> Result<Update<Trail>> {
            ++calls["weak"];
            if (fails) return fail(ErrorCode::connect, "no");
            return leave({"weak"});
        });
        for (const char* name : {"goes", "silent", "weak"}) graph.add_edge(kStart, name);
        Thread<Trail> thread(compiled(graph, with_saver()), {.durability = durability});
        EXPECT_EQ(code_of(thread.try_run(Trail{})), ErrorCode::connect);
        EXPECT_THAT(thread.state().next, ElementsAre("weak"));
        EXPECT_EQ(code_of(thread.try_run(Resume{})), ErrorCode::connect);
        fails = false;
        EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("goes", "again", "weak", "after", "s"));
        EXPECT_EQ(calls["goes"], 1);
        EXPECT_EQ(calls["silent"], 1);
        EXPECT_EQ(calls["weak"], 3);
    }
}

TEST(Thread, PlannedSendsAndHalfFullBarriersSurvive) {
    auto graph = trail({"a", "b", "join", "late"});
    graph.add_node<int>("sent", [](event::Context, int i) { return leave({std::to_string(i)}); });
    graph.add_edge(kStart, "a");
    graph.add_conditional_edges("a", [](const Trail&) { return std::vector<Target>{send("sent", 1), send("sent", 2), "b"}; });
    graph.add_edge({"a", "b"}, "join");
    add_named(graph, "deferred", {.defer = true});
    graph.add_edge("a", "deferred");
    graph.add_edge("join", "late");
    CompileOptions options = with_saver();
    options.interrupt_after = {"*"};
    Thread<Trail> thread(compiled(graph, options));
    auto result = thread.run(Trail{});
    int resumes = 0;
    for (; result.ending == Ending::interrupted && resumes < 10; ++resumes) result = thread.run(Resume{});
    EXPECT_THAT(result.state.out, ElementsAre("a", "b", "1", "2", "join", "late", "deferred"));
    EXPECT_EQ(resumes, 5);
}

TEST(Thread, GoesOnInAnotherProcess) {
    const TemporaryFolder folder;
    asio::awaitable<Result<Update<Trail>>> (*ask)(StepInfo) = [](StepInfo info) -> asio::awaitable<Result<Update<Trail>>> {
        const json::value first = co_await interrupt(info, "first?");
        const json::value second = co_await interrupt(info, "second?");
        co_return Update<Trail>{}.set(&Trail::out, {to_text(first), to_text(second)});
    };
    // Graph and saver are made anew for each run, as after a restart.
    const auto thread = [&] {
        auto inner = trail({"before"});
        inner.add_node("ask", [ask](event::Context, Trail, StepInfo info) { return ask(info); });
        add_chain(inner, {"before", "ask"});
        auto outer = trail({"end"});
        outer.add_node("sub", compiled(inner));
        add_chain(outer, {"sub", "end"});
        return Thread<Trail>(compiled(outer, {.saver = value_of(SqliteSaver::open(folder.path() / "state.db"))}),
                             {.durability = Durability::sync});
    };
    const auto first = thread().run(Trail{{"0"}});
    ASSERT_EQ(first.interrupts.size(), 1u);
    const auto again = thread().run(Resume{});  // asks the same thing
    ASSERT_EQ(again.interrupts.size(), 1u);
    EXPECT_EQ(again.interrupts[0].id, first.interrupts[0].id);
    const auto second = thread().run(Resume{.answers = {{first.interrupts[0].id, "one"}}});
    ASSERT_EQ(second.interrupts.size(), 1u);
    EXPECT_EQ(second.interrupts[0].value, "second?");
    EXPECT_EQ(code_of(thread().try_run(Resume{.answers = {{first.interrupts[0].id, "late"}}})), ErrorCode::invalid_argument);
    EXPECT_THAT(thread().run(Resume{.answer = "two"}).state.out, ElementsAre("0", "0", "before", "one", "two", "end"));
}

TEST(Thread, CancelledRunsGoOnWhereTheyWere) {
    Gate never;
    int first = 0;
    bool waits = true;
    asio::cancellation_signal cancel;
    auto graph = trail({});
    struct Node {
        static asio::awaitable<Result<Update<Trail>>> wait(Gate* gate, bool* waits, asio::cancellation_signal* cancel) {
            if (*waits) {
                asio::post(co_await asio::this_coro::executor, [cancel] { cancel->emit(asio::cancellation_type::terminal); });
                co_await gate->wait();
            }
            co_return *leave({"slow"});
        }
    };
    graph.add_node("fast", [&](event::Context, Trail) {
        ++first;
        return leave({"fast"});
    });
    graph.add_node("slow", [&](event::Context, Trail) { return Node::wait(&never, &waits, &cancel); });
    graph.add_edge(kStart, "fast");
    graph.add_edge(kStart, "slow");
    const auto graph_with_saver = compiled(graph, with_saver());
    asio::io_context loop;
    std::optional<Result<RunResult<Trail>>> cancelled;
    asio::co_spawn(
        loop, graph_with_saver.run({}, Trail{}, {.thread = "thread"}),
        asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr exception, std::optional<Result<RunResult<Trail>>> out) {
            if (!exception) cancelled = std::move(out);
        }));
    loop.run();
    ASSERT_TRUE(cancelled);
    EXPECT_EQ(code_of(*cancelled), ErrorCode::cancelled);
    waits = false;
    Thread<Trail> thread(graph_with_saver);
    EXPECT_THAT(thread.state().next, ElementsAre("slow"));
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("fast", "slow"));
    EXPECT_EQ(first, 1);
}

TEST(Thread, DrainingStopsBetweenStepsAlsoInside) {
    auto inner = trail({"x", "y"});
    add_chain(inner, {"x", "y"});
    auto outer = trail({"a", "z"});
    outer.add_node("sub", compiled(inner));
    add_chain(outer, {"a", "sub", "z"});
    int steps = 0;
    RunOptions options;
    options.should_drain = [&] { return ++steps % 3 == 0; };
    Thread<Trail> thread(compiled(outer, with_saver()), options);
    auto result = thread.run(Trail{});
    int resumes = 0;
    for (; result.ending == Ending::drained && resumes < 10; ++resumes) result = thread.run(Resume{});
    EXPECT_EQ(result.ending, Ending::finished);
    EXPECT_EQ(resumes, 3);
    EXPECT_THAT(result.state.out, ElementsAre("a", "a", "x", "y", "z"));
}

TEST(Thread, AForkLeavesTheOldBranchAlone) {
    int rounds = 0;
    auto graph = trail({"a", "c"});
    graph.add_node("b", [&](event::Context, Trail) { return leave({"b" + std::to_string(++rounds)}); });
    add_chain(graph, {"a", "b", "c"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    thread.run(Trail{});
    const auto before = thread.history();
    const auto before_b = before[2].key.id;
    EXPECT_THAT(thread.run(Resume{}, before_b).state.out, ElementsAre("a", "b2", "c"));
    EXPECT_THAT(thread.state(before[0].key.id).values.out, ElementsAre("a", "b1", "c"));
    EXPECT_THAT(thread.state().values.out, ElementsAre("a", "b2", "c"));
    // Another input from the old place is a branch, too.
    EXPECT_THAT(thread.run(Trail{{"new"}}, before_b).state.out, ElementsAre("a", "new", "a", "b3", "c"));
    // From the input itself everything runs again.
    EXPECT_THAT(thread.run(Resume{}, before.back().key.id).state.out, ElementsAre("a", "b4", "c"));
}

TEST(Thread, AForkForgetsAnswersAndFinishedSiblings) {
    int calls = 0;
    auto graph = trail({});
    graph.add_node("fast", [&](event::Context, Trail) {
        ++calls;
        return leave({"fast"});
    });
    asio::awaitable<Result<Update<Trail>>> (*ask)(StepInfo) = [](StepInfo info) -> asio::awaitable<Result<Update<Trail>>> {
        const json::value answer = co_await interrupt(info, "?");
        co_return Update<Trail>{}.set(&Trail::out, {to_text(answer)});
    };
    graph.add_node("slow", [ask](event::Context, Trail, StepInfo info) { return ask(info); });
    graph.add_edge(kStart, "fast");
    graph.add_edge(kStart, "slow");
    Thread<Trail> thread(compiled(graph, with_saver()));
    const auto first = thread.run(Trail{});
    EXPECT_THAT(first.state.out, ElementsAre("fast"));
    EXPECT_THAT(thread.run(Resume{.answer = "yes"}).state.out, ElementsAre("fast", "yes"));
    EXPECT_EQ(calls, 1);
    const auto replayed = thread.run(Resume{}, first.checkpoint);
    EXPECT_EQ(replayed.ending, Ending::interrupted);
    EXPECT_NE(replayed.interrupts.at(0).id, first.interrupts.at(0).id);
    EXPECT_EQ(calls, 2);
    EXPECT_THAT(thread.run(Resume{.answer = "no"}).state.out, ElementsAre("fast", "no"));
    EXPECT_EQ(calls, 2);
}

TEST(Thread, UpdatesChooseWhatRunsNext) {
    auto graph = trail({"a", "b", "c"});
    add_chain(graph, {"a", "b", "c"});
    CompileOptions options = with_saver();
    options.interrupt_before = {"b"};
    Thread<Trail> thread(compiled(graph, options));
    ASSERT_TRUE(thread.update(*leave({"seed"})));  // a new thread: as the input
    EXPECT_THAT(thread.state().next, ElementsAre("a"));
    EXPECT_EQ(thread.run(Resume{}).ending, Ending::interrupted);
    ASSERT_TRUE(thread.update(*leave({"edit"})));  // as the node that ran last
    EXPECT_THAT(thread.state().next, ElementsAre("b"));
    ASSERT_TRUE(thread.update(*leave({"more"})));
    EXPECT_THAT(thread.state().next, ElementsAre("b"));
    ASSERT_TRUE(thread.update(*leave({"as b"}), "b"));
    EXPECT_THAT(thread.state().next, ElementsAre("c"));
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("seed", "a", "edit", "more", "as b", "c"));
    ASSERT_TRUE(thread.update({}, "a"));
    ASSERT_TRUE(thread.update({}, std::string(kEnd)));
    EXPECT_THAT(thread.state().next, IsEmpty());
    EXPECT_EQ(code_of(thread.update({}, "nobody")), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(run_on_loop(thread.graph().update_state({"thread", "", "nowhere"}, {}))), ErrorCode::not_found);
}

TEST(Thread, AnInputTakesThePlaceOfWhatWasPlanned) {
    auto graph = trail({"a", "b"});
    add_chain(graph, {"a", "b"});
    CompileOptions options = with_saver();
    options.interrupt_before = {"b"};
    Thread<Trail> thread(compiled(graph, options));
    thread.run(Trail{{"1"}});
    EXPECT_THAT(thread.run(Trail{{"2"}}).state.out, ElementsAre("1", "a", "2", "a"));
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("1", "a", "2", "a", "b"));
    EXPECT_THAT(thread.run(Update<Trail>{}.set(&Trail::out, {"3"}).go_to("b")).state.out,
                ElementsAre("1", "a", "2", "a", "b", "3"));  // stops before b, which is next beside a
    EXPECT_THAT(thread.state().next, ElementsAre("a", "b"));
}

TEST(Thread, InnerGraphsKeepTheirOwnMemoryWhenTheyAskFor) {
    for (const auto mode : {InnerCheckpoints::inherit, InnerCheckpoints::own, InnerCheckpoints::none}) {
        struct Count {
            int calls = 0;
        };
        StateGraph<Count> inner;
        inner.channel("calls", &Count::calls, reduce<int>(std::plus<int>()));
        inner.add_node("n", [](event::Context, Count) -> Result<Update<Count>> { return Update<Count>{}.set(&Count::calls, 1); });
        inner.add_edge(kStart, "n");
        auto outer = trail({});
        outer.add_node(
            "sub", compiled(inner, {.as_inner = mode}), [](const Trail&) { return Count{}; },
            [](const Count& state) { return *leave({std::to_string(state.calls)}); });
        add_chain(outer, {"sub"});
        const auto saver = std::make_shared<MemorySaver>();
        Thread<Trail> thread(compiled(outer, {.saver = saver}));
        thread.run(Trail{});
        const auto second = thread.run(Trail{});
        const auto all = value_of(run_on_loop(saver->list("thread", {})));
        const auto outside = thread.history().size();
        EXPECT_THAT(second.state.out, ElementsAre("1", mode == InnerCheckpoints::own ? "2" : "1"));
        EXPECT_EQ(all.size() > outside, mode != InnerCheckpoints::none);
    }
}

TEST(Thread, AStopAtANodeInsideStopsTheOuterRun) {
    auto inner = trail({"x", "y"});
    add_chain(inner, {"x", "y"});
    auto outer = trail({"beside", "end"});
    outer.add_node("sub", compiled(inner, {.interrupt_before = {"y"}}));
    outer.add_edge(kStart, "beside");
    add_chain(outer, {"sub", "end"});
    Thread<Trail> thread(compiled(outer, with_saver()));
    const auto first = thread.run(Trail{});
    EXPECT_EQ(first.ending, Ending::interrupted);
    EXPECT_THAT(first.interrupts, IsEmpty());
    EXPECT_THAT(thread.state().next, ElementsAre("sub"));
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("beside", "x", "y", "end"));
}

// The inner graph has a finished memory of the first call when the second one is resumed before it began.
TEST(Thread, AnInnerMemoryOfAnEarlierStepIsNotGoneOnWith) {
    bool fails = false;
    auto inner = trail({"x"});
    add_chain(inner, {"x"});
    auto outer = trail({});
    outer.add_node(
        "sub", compiled(inner, {.as_inner = InnerCheckpoints::own}), [](const Trail&) { return Trail{{"in"}}; },
        [&](const Trail& state) {
            if (fails) throw std::runtime_error("leaving");
            return *leave({std::to_string(state.out.size())});
        });
    outer.add_node("gate", [&](event::Context, Trail) -> Result<Update<Trail>> {
        if (fails) return fail(ErrorCode::connect, "no");
        return Update<Trail>{};
    });
    add_chain(outer, {"gate", "sub"});
    Thread<Trail> thread(compiled(outer, with_saver()));
    EXPECT_THAT(thread.run(Trail{}).state.out, ElementsAre("2"));
    fails = true;
    EXPECT_EQ(code_of(thread.try_run(Trail{})), ErrorCode::connect);
    fails = false;
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("2", "4"));
}

TEST(Thread, RejectsWhatIsNotItsOwn) {
    auto graph = trail({"a"});
    add_chain(graph, {"a"});
    const auto saver = std::make_shared<MemorySaver>();
    Thread<Trail> thread(compiled(graph, {.saver = saver}));
    const auto put = [&](ByName<Blob> values) {
        Checkpoint checkpoint;
        checkpoint.id = make_checkpoint_id();
        checkpoint.values = std::move(values);
        for (const auto& [name, value] : checkpoint.values) checkpoint.versions[name] = 1;
        ASSERT_TRUE(run_on_loop(saver->put({"thread", "", ""}, std::move(checkpoint), {}, {})));
    };
    const auto text = [](const char* t) { return std::make_shared<const std::string>(t); };
    for (const char* bad : {"{", "7", "[1]", "", "\"x\""}) {
        put({{"out", text(bad)}});
        EXPECT_EQ(code_of(thread.try_run(Resume{})), ErrorCode::parse) << bad;
        EXPECT_EQ(code_of(run_on_loop(thread.graph().get_state({"thread", "", ""}))), ErrorCode::parse) << bad;
        EXPECT_EQ(code_of(thread.update({}, "a")), ErrorCode::parse) << bad;
    }
    for (const char* bad : {"{}", "[{}]", "[{\"node\": 1}]", "nonsense"}) {
        put({{std::string(kSendChannel), text(bad)}});
        EXPECT_EQ(code_of(thread.try_run(Resume{})), ErrorCode::parse) << bad;
    }
    for (const char* bad : {"{}", "[]", "{\"writes\": [[1]], \"targets\": []}", "{\"writes\": [[\"out\", 3]], \"targets\": []}"}) {
        put({{std::string(kStart), text(bad)}});
        EXPECT_EQ(code_of(thread.try_run(Resume{})), ErrorCode::parse) << bad;
    }
    put({{"gone", text("1")},
         {"branch:to:gone", text("{\"heard\": [0, -1, 99, \"x\"]}")},
         {"branch:to:a", text("{\"heard\": [0, 7, -3]}")}});
    EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("a"));
}

TEST(Thread, ASaverThatFailsFailsTheRunWhichCanGoOn) {
    for (const auto durability : {Durability::sync, Durability::async, Durability::exit}) {
        for (int fail_at = 2; fail_at <= 5; ++fail_at) {
            auto graph = trail({"a", "b", "c"});
            add_chain(graph, {"a", "b", "c"});
            int countdown = durability == Durability::exit ? 1 : fail_at;
            const auto saver = std::make_shared<HookedSaver>([&]() -> Result<void> {
                if (--countdown == 0) return fail(ErrorCode::no_space, "full");
                return {};
            });
            Thread<Trail> thread(compiled(graph, {.saver = saver}), {.durability = durability});
            EXPECT_EQ(code_of(thread.try_run(Trail{})), ErrorCode::no_space);
            if (durability != Durability::exit) EXPECT_THAT(thread.run(Resume{}).state.out, ElementsAre("a", "b", "c"));
        }
    }
}

}  // namespace
}  // namespace plimsoll::graph
