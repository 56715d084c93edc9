// Questions to people beyond the recorded cases.
#include "graph/interrupt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "event/span.h"
#include "graph/conformance_cases.h"
#include "graph/memory_saver.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;

CompileOptions with_saver() { return {.saver = std::make_shared<MemorySaver>()}; }

struct Form {
    int age = 0;
    std::string other;
};

asio::awaitable<Result<Update<Form>>> ask_age(StepInfo info) {
    json::value question = "How old are you?";
    for (;;) {
        const json::value answer = co_await interrupt(info, question);
        const auto* age = answer.if_int64();
        if (age && *age >= 18) co_return Update<Form>{}.set(&Form::age, static_cast<int>(*age));
        question = json::string("invalid: " + to_text(answer));
    }
}

StateGraph<Form> age_form() {
    StateGraph<Form> graph;
    graph.channel("age", &Form::age);
    graph.channel("other", &Form::other);
    graph.add_node("age", [](event::Context, Form, StepInfo info) { return ask_age(info); });
    graph.add_edge(kStart, "age");
    return graph;
}

TEST(Interrupt, AnInvalidAnswerIsAskedForAgain) {
    Thread<Form> thread(compiled(age_form(), with_saver()));
    std::vector<std::string> questions;
    auto result = thread.run(Form{});
    for (const json::value& answer : std::vector<json::value>{"thirteen", 15, 19}) {
        ASSERT_EQ(result.interrupts.size(), 1u);
        questions.push_back(to_text(result.interrupts[0].value));
        result = thread.run(Resume{.answer = answer});
    }
    EXPECT_EQ(result.state.age, 19);
    EXPECT_THAT(questions, ElementsAre("How old are you?", "invalid: thirteen", "invalid: 15"));
    EXPECT_EQ(code_of(thread.try_run(Resume{.answer = 20})), ErrorCode::invalid_argument);  // nothing is asked any more
}

TEST(Interrupt, ValuesModeShowsTheStateWithTheQuestion) {
    auto graph = age_form();
    graph.add_node("beside", [](event::Context, Form) -> Result<Update<Form>> { return Update<Form>{}.set(&Form::other, "b"); });
    graph.add_edge(kStart, "beside");
    Thread<Form> thread(compiled(graph, with_saver()));
    const auto first = data_of(thread.stream(Form{}, StreamMode::values));
    ASSERT_EQ(first.size(), 3u);
    EXPECT_EQ(first[0], (json::object{{"age", 0}, {"other", ""}}));
    EXPECT_EQ(*find(first[1], "other"), "");
    EXPECT_EQ(find(first[1], kInterruptChannel)->as_array().size(), 1u);
    EXPECT_EQ(first[2], (json::object{{"age", 0}, {"other", "b"}}));
    const auto second = data_of(thread.stream(Resume{.answer = 30}, StreamMode::values));
    EXPECT_EQ(second, (json::array{{{"age", 0}, {"other", ""}}, {{"age", 30}, {"other", "b"}}}));
}

TEST(Interrupt, TasksModeShowsTheQuestionAndUpdatesTheFoundResult) {
    auto graph = age_form();
    graph.add_node("beside", [](event::Context, Form) -> Result<Update<Form>> { return Update<Form>{}.set(&Form::other, "b"); });
    graph.add_edge(kStart, "beside");
    Thread<Form> thread(compiled(graph, with_saver()));
    const auto tasks = data_of(thread.stream(Form{}, StreamMode::tasks));
    ASSERT_EQ(tasks.size(), 4u);  // two starts, two ends
    EXPECT_EQ(*get_string(tasks[2], "name"), "age");
    EXPECT_EQ(*get_string(tasks[3], "name"), "beside");
    EXPECT_EQ(get_string(tasks[2], "id"), get_string(tasks[0], "id"));
    EXPECT_EQ(find(tasks[2], "interrupts")->as_array().size(), 1u);
    const auto updates = data_of(thread.stream(Resume{.answer = 30}, StreamMode::updates));
    EXPECT_EQ(updates, (json::array{{{"beside", {{"other", "b"}}}, {"__metadata__", {{"cached", true}}}}, {{"age", {{"age", 30}}}}}));
}

TEST(Interrupt, AFailureBesideAQuestionWins) {
    bool fails = true;
    auto graph = age_form();
    graph.add_node("bad", [&](event::Context, Form) -> Result<Update<Form>> {
        if (fails) return fail(ErrorCode::io, "bad");
        return Update<Form>{};
    });
    graph.add_edge(kStart, "bad");
    Thread<Form> thread(compiled(graph, with_saver()));
    EXPECT_EQ(code_of(thread.try_run(Form{})), ErrorCode::io);
    fails = false;
    EXPECT_EQ(thread.run(Resume{}).ending, Ending::interrupted);
    EXPECT_EQ(thread.run(Resume{.answer = 40}).state.age, 40);
}

TEST(Interrupt, PoliciesLetQuestionsThrough) {
    int calls = 0;
    asio::awaitable<Result<Update<Form>>> (*ask)(int*, StepInfo) = [](int* n, StepInfo info) -> asio::awaitable<Result<Update<Form>>> {
        ++*n;
        const json::value answer = co_await interrupt(info, "?");
        if (*n < 3) co_return fail(ErrorCode::connect, "after the answer");
        co_return Update<Form>{}.set(&Form::age, static_cast<int>(answer.as_int64()));
    };
    StateGraph<Form> graph;
    graph.channel("age", &Form::age);
    graph.add_node("ask", [ask, &calls](event::Context, Form, StepInfo info) { return ask(&calls, info); },
                   {.retry = {{.initial = std::chrono::milliseconds(1), .jitter = false}}, .timeouts = {.run = std::chrono::seconds(10)}});
    graph.on_error("ask", [](event::Context, const Form&, const Error&) -> Result<Update<Form>> { return Update<Form>{}; });
    graph.add_edge(kStart, "ask");
    Thread<Form> thread(compiled(graph, with_saver()));
    EXPECT_EQ(thread.run(Form{}).ending, Ending::interrupted);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(thread.run(Resume{.answer = 50}).state.age, 50);  // the second attempt is given the answer, too
    EXPECT_EQ(calls, 3);
}

TEST(Interrupt, ANodeThatAsksHasAnEndedSpan) {
    double now = 0;
    const auto session = event::Session::make({}, {}, [&] { return now += 1; }, 1);
    const auto graph = compiled(age_form(), with_saver());
    ASSERT_TRUE(run_on_loop(graph.run(session->root(), Form{}, {.thread = "t"})));
    const auto spans = event::pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 1u);
    EXPECT_TRUE(spans[0].finished);
    EXPECT_FALSE(spans[0].error);
}

TEST(Interrupt, AThousandWaitingThreads) {
    const auto graph = compiled(age_form(), with_saver());
    for (int i = 0; i < 1000; ++i) {
        const RunOptions options{.thread = std::to_string(i)};
        ASSERT_EQ(run_on_loop(graph.run({}, Form{}, options))->ending, Ending::interrupted);
    }
    for (int i = 0; i < 1000; ++i) {
        const RunOptions options{.thread = std::to_string(i)};
        ASSERT_EQ(run_on_loop(graph.run({}, Resume{.answer = 18 + i}, options))->state.age, 18 + i);
    }
}

}  // namespace
}  // namespace plimsoll::graph
