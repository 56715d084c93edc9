// LangGraph's behaviour around questions to people and stops at nodes, case by case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/conformance_cases.h"
#include "graph/memory_saver.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;

CompileOptions with_saver() { return {.saver = std::make_shared<MemorySaver>()}; }

struct Text {
    std::string x;
};

json::object shown_result(const RunResult<Text>& result, std::string_view key = "x") {
    json::object all{{key, result.state.x}};
    if (!result.interrupts.empty()) all.emplace("__interrupt__", shown(result.interrupts));
    return all;
}

asio::awaitable<Result<Update<Text>>> ask(int* calls, StepInfo info, json::value question) {
    ++*calls;
    const json::value answer = co_await interrupt(info, std::move(question));
    co_return Update<Text>{}.set(&Text::x, to_text(answer));
}

StateGraph<Text> asking(int* calls, json::value question) {
    StateGraph<Text> graph;
    graph.channel("x", &Text::x);
    graph.add_node("a", [calls, question](event::Context, Text, StepInfo info) { return ask(calls, info, question); });
    graph.add_edge(kStart, "a");
    return graph;
}

TEST(Conformance, Case21AQuestionAndItsAnswer) {
    int calls = 0;
    Thread<Text> thread(compiled(asking(&calls, {{"ask", 1}}), with_saver()));
    const auto first = thread.run(Text{"i"});
    EXPECT_EQ(first.ending, Ending::interrupted);
    EXPECT_EQ(json::value(shown_result(first)), observed("21", "r1"));
    const auto state = thread.state();
    EXPECT_EQ(json::value_from(state.next), observed("21", "next"));
    EXPECT_EQ(state.interrupts.size(), static_cast<std::size_t>(observed("21", "n_interrupts").as_int64()));
    const auto second = thread.run(Resume{.answer = "yes"});
    EXPECT_EQ(second.ending, Ending::finished);
    EXPECT_EQ(json::value(shown_result(second)), observed("21", "r2"));
    EXPECT_EQ(calls, observed("21", "calls").as_int64());
}

asio::awaitable<Result<Update<Text>>> ask_twice(StepInfo info) {
    const json::value a = co_await interrupt(info, 1);
    const json::value b = co_await interrupt(info, 2);
    co_return Update<Text>{}.set(&Text::x, to_text(a) + " " + to_text(b));
}

TEST(Conformance, Case22TwoQuestionsWithAnUpdateBetween) {
    StateGraph<Text> graph;
    graph.channel("k", &Text::x, append());
    graph.add_node("n", [](event::Context, Text, StepInfo info) { return ask_twice(info); });
    graph.add_edge(kStart, "n");
    Thread<Text> thread(compiled(graph, with_saver()));
    const auto first = thread.run(Text{"DE"});
    EXPECT_EQ(json::value(shown_result(first, "k")), observed("22", "r1"));
    const auto second = thread.run({Resume{.answer = "A"}, Update<Text>{}.set(&Text::x, " foo ")});
    EXPECT_EQ(json::value(shown_result(second, "k")), observed("22", "r2"));
    EXPECT_EQ(first.interrupts.at(0).id == second.interrupts.at(0).id, observed("22", "same_id").as_bool());
    EXPECT_EQ(first.interrupts.at(0).id.size(), static_cast<std::size_t>(observed("22", "idlen").as_int64()));
    EXPECT_EQ(json::value(shown_result(thread.run(Resume{.answer = "B"}), "k")), observed("22", "r3"));
}

asio::awaitable<Result<Update<JsonState>>> ask_by_name(std::string channel, StepInfo info) {
    json::value answer = co_await interrupt(info, json::string(channel));
    co_return Update<JsonState>{}.set(channel, std::move(answer));
}

TEST(Conformance, Case23ParallelQuestionsAreAnsweredById) {
    StateGraph<JsonState> graph;
    graph.channel("a");
    graph.channel("b");
    for (const std::string key : {"a", "b"}) {
        graph.add_node("n" + key, [key](event::Context, const JsonState&, StepInfo info) { return ask_by_name(key, info); });
        graph.add_edge(kStart, "n" + key);
    }
    Thread<JsonState> thread(compiled(graph, with_saver()));
    const auto first = thread.run(JsonState{{{"a", ""}, {"b", ""}}});
    EXPECT_EQ(first.interrupts.size(), static_cast<std::size_t>(observed("23", "n").as_int64()));
    EXPECT_EQ(code_of(thread.try_run(Resume{.answer = "z"})), ErrorCode::invalid_argument);  // LangGraph: RuntimeError

    std::map<std::string, std::string> ids;
    for (const Interrupt& one : thread.state().interrupts) ids[one.value.as_string().c_str()] = one.id;
    const auto partial = thread.run(Resume{.answers = {{ids["a"], "RA"}}});
    json::object seen = partial.state.values;
    seen.emplace("__interrupt__", shown(partial.interrupts));
    EXPECT_EQ(json::value(seen), observed("23", "partial"));
    json::array left;
    for (const Interrupt& one : thread.state().interrupts) left.push_back(one.value);
    EXPECT_EQ(left, observed("23", "left"));
    EXPECT_EQ(json::value(thread.run(Resume{.answers = {{ids["b"], "RB"}}}).state.values), observed("23", "fin"));
}

TEST(Conformance, Case24WithoutASaver) {
    int calls = 0;
    const auto graph = compiled(asking(&calls, 1));
    const auto result = run_on_loop(graph.run({}, Text{}));
    ASSERT_TRUE(result);
    EXPECT_EQ(json::value(shown_result(*result)), observed("24", "interrupt"));
    EXPECT_EQ(code_of(run_on_loop(graph.run({}, Resume{.answer = 1}))), ErrorCode::invalid_argument);  // LangGraph: RuntimeError
    EXPECT_EQ(code_of(run_on_loop(graph.invoke({}, Text{}))), ErrorCode::unsupported);
}

TEST(Conformance, Case25StopsBeforeAndAfterANode) {
    for (const std::string kind : {"interrupt_before", "interrupt_after"}) {
        auto graph = trail({"a", "b", "c"});
        add_chain(graph, {"a", "b", "c"});
        CompileOptions options = with_saver();
        (kind == "interrupt_before" ? options.interrupt_before : options.interrupt_after) = {"b"};
        Thread<Trail> thread(compiled(graph, options));
        const auto first = data_of(thread.stream(Trail{}, StreamMode::updates));
        const auto next = json::value_from(thread.state().next);
        const auto second = data_of(thread.stream(Resume{}, StreamMode::updates));
        EXPECT_EQ((json::array{first, next, second}), observed("25", kind)) << kind;
    }
}

asio::awaitable<Result<Update<Trail>>> ask_for_name(Names* calls, StepInfo info) {
    calls->push_back("c1");
    const json::value name = co_await interrupt(info, "q");
    co_return *leave({to_text(name)});
}

TEST(Conformance, Case38AQuestionInsideAnInnerGraph) {
    Names calls;
    auto inner = trail({});
    inner.add_node("c0", [&](event::Context, Trail) {
        calls.push_back("c0");
        return leave({"c0"});
    });
    inner.add_node("c1", [&](event::Context, Trail, StepInfo info) { return ask_for_name(&calls, info); });
    add_chain(inner, {"c0", "c1"});
    auto outer = trail({});
    outer.add_node("sub", compiled(inner));
    add_chain(outer, {"sub"});
    Thread<Trail> thread(compiled(outer, with_saver()));
    const auto first = thread.run(Trail{});
    EXPECT_EQ((json::object{{"out", json::value_from(first.state.out)}, {"__interrupt__", shown(first.interrupts)}}), observed("38", "r1"));
    const auto second = thread.run(Resume{.answer = "R"});
    EXPECT_EQ((json::object{{"out", json::value_from(second.state.out)}}), observed("38", "r2"));
    EXPECT_EQ(json::value_from(calls), observed("38", "calls"));
}

}  // namespace
}  // namespace plimsoll::graph
