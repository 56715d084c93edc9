// LangGraph's behaviour with a saver, case by case: checkpoints, pending writes, time travel, updates between runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/conformance_cases.h"
#include "graph/memory_saver.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;

CompileOptions with_saver() { return {.saver = std::make_shared<MemorySaver>()}; }

struct Sum {
    int v = 0;
};

TEST(Conformance, Case17PendingWritesAreNotMadeAgain) {
    int one = 0, two = 0;
    bool ok = false;
    StateGraph<Sum> graph;
    graph.channel("v", &Sum::v, reduce<int>(std::plus<int>()));
    graph.add_node("one", [&](event::Context, Sum) -> Result<Update<Sum>> {
        ++one;
        return Update<Sum>{}.set(&Sum::v, 2);
    });
    graph.add_node("two", [&](event::Context, Sum) -> Result<Update<Sum>> {
        ++two;
        if (!ok) return fail(ErrorCode::connect, "no");
        return Update<Sum>{}.set(&Sum::v, 3);
    });
    graph.add_edge(kStart, "one");
    graph.add_edge(kStart, "two");
    Thread<Sum> thread(compiled(graph, with_saver()));
    EXPECT_EQ(code_of(thread.try_run(Sum{1})), ErrorCode::connect);

    const auto state = thread.state();
    EXPECT_EQ((json::object{{"v", state.values.v}}), observed("17", "state_values"));
    EXPECT_EQ(json::value_from(state.next), observed("17", "next"));
    ASSERT_EQ(state.tasks.size(), 2u);
    EXPECT_TRUE(state.tasks[1].error);
    const auto raw = thread.state(state.key.id);
    EXPECT_EQ((json::object{{"v", raw.values.v}}), observed("17", "raw_values"));
    EXPECT_EQ(json::value_from(raw.next), observed("17", "raw_next"));

    ok = true;
    EXPECT_EQ((json::object{{"v", thread.run(Resume{}).state.v}}), observed("17", "resumed"));
    EXPECT_EQ((json::array{one, two}), observed("17", "calls"));
    EXPECT_EQ(thread.history().size(), static_cast<std::size_t>(observed("17", "n_checkpoints").as_int64()));
}

struct Text {
    std::string x;
};

void add_letter(StateGraph<Text>& graph, const std::string& letter) {
    graph.add_node(letter,
                   [letter](event::Context, Text state) -> Result<Update<Text>> { return Update<Text>{}.set(&Text::x, state.x + letter); });
}

TEST(Conformance, Case18HistoryOfAChain) {
    StateGraph<Text> graph;
    graph.channel("x", &Text::x);
    add_letter(graph, "a");
    add_letter(graph, "b");
    add_chain(graph, {"a", "b"});
    Thread<Text> thread(compiled(graph, with_saver()));
    thread.run(Text{});
    json::array history;
    for (const auto& one : thread.history()) {
        json::object values;
        if (!one.channels.empty()) values.emplace("x", one.values.x);
        history.push_back({one.metadata.step, to_string(one.metadata.source), json::value_from(one.next), std::move(values)});
    }
    EXPECT_EQ(history, observed("18"));
}

TEST(Conformance, Case19CheckpointsByDurability) {
    for (const auto& [name, durability] :
         {std::pair("sync", Durability::sync), std::pair("async", Durability::async), std::pair("exit", Durability::exit)}) {
        auto graph = trail({"a", "b", "c"});
        add_chain(graph, {"a", "b", "c"});
        Thread<Trail> thread(compiled(graph, with_saver()), {.durability = durability});
        thread.run(Trail{});
        EXPECT_EQ(thread.history().size(), static_cast<std::size_t>(observed("19", name).as_int64())) << name;
        EXPECT_THAT(thread.state().values.out, ElementsAre("a", "b", "c")) << name;
    }
}

TEST(Conformance, Case20AfterACrashOnlyTheFailedNodeRunsAgain) {
    for (const auto& [name, durability] :
         {std::pair("sync", Durability::sync), std::pair("exit", Durability::exit), std::pair("sync", Durability::async)}) {
        bool fails = true;
        Names calls;
        StateGraph<Trail> graph = trail({});
        graph.add_node("a", [&](event::Context, Trail) {
            calls.push_back("a");
            return leave({"a"});
        });
        graph.add_node("b", [&](event::Context, Trail) -> Result<Update<Trail>> {
            calls.push_back("b");
            if (fails) throw std::runtime_error("x");
            return leave({"b"});
        });
        add_chain(graph, {"a", "b"});
        Thread<Trail> thread(compiled(graph, with_saver()), {.durability = durability});
        EXPECT_EQ(code_of(thread.try_run(Trail{{"0"}})), ErrorCode::internal);
        json::object seen{{"ckpts", thread.history().size()}, {"next", json::value_from(thread.state().next)}};
        fails = false;
        seen.emplace("resumed", json::object{{"out", json::value_from(thread.run(Resume{}).state.out)}});
        seen.emplace("calls", json::value_from(calls));
        EXPECT_EQ(json::value(seen), observed("20", name)) << name;
    }
}

TEST(Conformance, Case26ReplayFromTheMiddleForks) {
    Names calls;
    auto graph = trail({});
    for (const std::string name : {"a", "b"})
        graph.add_node(name, [&calls, name](event::Context, Trail) {
            calls.push_back(name);
            return leave({name});
        });
    add_chain(graph, {"a", "b"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    thread.run(Trail{});
    const auto before = thread.history();
    std::string before_b;
    for (const auto& one : before)
        if (one.next == Names{"b"}) before_b = one.key.id;
    const auto result = thread.run(Resume{}, before_b);
    const auto after = thread.history();
    json::array sources, steps;
    for (const auto& one : after) {
        sources.emplace_back(to_string(one.metadata.source));
        steps.emplace_back(one.metadata.step);
    }
    EXPECT_EQ((json::object{{"out", json::value_from(result.state.out)}}), observed("26", "r"));
    EXPECT_EQ(json::value_from(calls), observed("26", "calls"));
    EXPECT_EQ((json::array{before.size(), after.size()}), observed("26", "len"));
    EXPECT_EQ(sources, observed("26", "sources"));
    EXPECT_EQ(steps, observed("26", "steps"));
    ASSERT_TRUE(after[1].parent);
    EXPECT_EQ(after[1].parent->id, before_b);
}

TEST(Conformance, Case27ReplayFromTheEndRunsNothing) {
    int calls = 0;
    auto graph = trail({});
    graph.add_node("a", [&](event::Context, Trail) {
        ++calls;
        return leave({"a"});
    });
    add_chain(graph, {"a"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    thread.run(Trail{});
    const auto before = thread.history();
    const auto result = thread.run(Resume{}, before.front().key.id);
    EXPECT_EQ((json::object{{"out", json::value_from(result.state.out)}}), observed("27", "r"));
    EXPECT_EQ(calls, observed("27", "calls").as_int64());
    EXPECT_EQ(thread.history().size() - before.size(), static_cast<std::size_t>(observed("27", "history").as_int64()));
}

TEST(Conformance, Case28AnUpdateAsANodeSchedulesItsSuccessors) {
    auto graph = trail({"a", "b", "c"});
    add_chain(graph, {"a", "b", "c"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    thread.run(Trail{});
    ASSERT_TRUE(thread.update(*leave({"edit"}), "a"));
    const auto state = thread.state();
    EXPECT_EQ(json::value_from(state.next), observed("28", "next"));
    EXPECT_EQ(to_string(state.metadata.source), observed("28", "source").as_string());
    EXPECT_EQ((json::object{{"out", json::value_from(state.values.out)}}), observed("28", "vals"));
    EXPECT_EQ((json::object{{"out", json::value_from(thread.run(Resume{}).state.out)}}), observed("28", "r"));
}

TEST(Conformance, Case29ASecondInputGoesThroughTheChannels) {
    auto graph = trail({"a"});
    add_chain(graph, {"a"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    json::array results;
    for (const char* input : {"1", "2"}) results.push_back({{"out", json::value_from(thread.run(Trail{{input}}).state.out)}});
    EXPECT_EQ(results, observed("29"));
}

TEST(Conformance, Case44BulkUpdates) {
    auto graph = trail({"a", "b"});
    add_chain(graph, {"a", "b"});
    Thread<Trail> thread(compiled(graph, with_saver()));
    std::vector<std::vector<StateUpdate<Trail>>> steps(2);
    steps[0].push_back({*leave({"x"}), std::string(kStart)});
    steps[1].push_back({*leave({"y"}), "a"});
    ASSERT_TRUE(run_on_loop(thread.graph().bulk_update_state({"thread", "", ""}, std::move(steps))));
    json::array history;
    for (const auto& one : thread.history()) history.push_back({one.metadata.step, to_string(one.metadata.source)});
    const auto state = thread.state();
    EXPECT_EQ((json::object{{"out", json::value_from(state.values.out)}}), observed("44", "vals"));
    EXPECT_EQ(json::value_from(state.next), observed("44", "next"));
    EXPECT_EQ(history, observed("44", "hist"));
}

}  // namespace
}  // namespace plimsoll::graph
