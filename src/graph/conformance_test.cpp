// LangGraph's behaviour, case by case: tests/goldens/langgraph/conformance_oracle.json records what LangGraph 1.2.22 did. The
// cases with a saver, with questions, with policies and with streams are in the other conformance_*_test.cpp files.
//
// Exceptions are error codes here: InvalidUpdateError and ValueError are invalid_argument, GraphRecursionError is limit,
// NodeTimeoutError is timeout, and what a node throws is internal. The one deviation: an unknown target of go_to or a Send is
// an error (case 39), where LangGraph drops it with a warning. See docs/langgraph-differences.md.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "graph/conformance_cases.h"

namespace plimsoll::graph {
namespace {

using testing::HasSubstr;

json::value walk(const StateGraph<Trail>& graph, Names initial = {"0"}) {
    const auto out = invoke(graph, Trail{std::move(initial)});
    return out ? json::value_from(out->out) : json::value(out.error().message);
}

TEST(Conformance, Case01DiamondInNameOrder) {
    auto graph = trail({"b", "a", "c"});
    graph.add_edge(kStart, "b");
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "c");
    graph.add_edge("b", "c");
    EXPECT_EQ(walk(graph), observed("01"));
}

StateGraph<Trail> unequal_branches(bool defer) {
    auto graph = trail({"a", "a2", "b"});
    add_named(graph, "c", {.defer = defer});
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    graph.add_edge("a", "a2");
    return graph;
}

TEST(Conformance, Case02UnequalBranchesPlainAndBarrier) {
    auto plain = unequal_branches(false);
    plain.add_edge("a2", "c");
    plain.add_edge("b", "c");
    EXPECT_EQ(walk(plain), *find(observed("02"), "plain"));
    auto barrier = unequal_branches(false);
    barrier.add_edge({"a2", "b"}, "c");
    EXPECT_EQ(walk(barrier), *find(observed("02"), "waiting"));
}

TEST(Conformance, Case03DeferredNodeRunsOnceAndLast) {
    auto plain = unequal_branches(true);
    plain.add_edge("a2", "c");
    plain.add_edge("b", "c");
    EXPECT_EQ(walk(plain), observed("03"));
    auto barrier = unequal_branches(true);
    barrier.add_edge({"a2", "b"}, "c");
    EXPECT_EQ(walk(barrier), observed("03"));
}

struct Numbers {
    int x = 0;
    int y = 0;
};

template <int kValue>
Result<Update<Numbers>> write_x(event::Context, Numbers) {
    return Update<Numbers>{}.set(&Numbers::x, kValue);
}

TEST(Conformance, Case04TwoWritersOfOneLastValue) {
    StateGraph<Numbers> graph;
    graph.channel("x", &Numbers::x);
    graph.add_node("a", write_x<1>);
    graph.add_node("b", write_x<2>);
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    const auto out = invoke(graph, Numbers{});
    EXPECT_EQ(code_of(out), ErrorCode::invalid_argument);
    EXPECT_THAT(observed("04").as_string().c_str(), HasSubstr("receive only one value per step"));
    EXPECT_THAT(out.error().message, HasSubstr("receive only one value per step"));
}

Result<Update<Numbers>> throw_key_error(event::Context, Numbers) { throw std::out_of_range("k"); }

TEST(Conformance, Case05AFailedStepChangesNothing) {
    StateGraph<Numbers> graph;
    graph.channel("x", &Numbers::x, reduce<int>(std::plus<int>()));
    graph.add_node("a", write_x<1>);
    graph.add_node("b", throw_key_error);
    graph.add_edge(kStart, "a");
    graph.add_edge(kStart, "b");
    json::array seen;
    RunOptions options;
    options.on_event = [&](const StreamEvent& event) {
        if (event.kind == StreamEvent::Kind::values) seen.push_back({{"x", event.values<Numbers>().x}});
    };
    EXPECT_EQ(code_of(invoke(graph, Numbers{}, options)), ErrorCode::internal);
    EXPECT_EQ(seen, *find(observed("05"), "values_seen"));
}

TEST(Conformance, Case06SendsOfTwoNodesKeepTheirOrder) {
    auto graph = trail({"1", "1.1", "3", "3.1"});
    graph.add_node<int>("2", [](event::Context, int i) { return leave({fmt::format("2|{}", i)}); });
    graph.add_edge(kStart, "1");
    graph.add_edge(kStart, "1.1");
    graph.add_conditional_edges("1", [](const Trail&) { return std::vector<Target>{send("2", 1), send("2", 2), "3.1"}; });
    graph.add_conditional_edges("1.1", [](const Trail&) { return std::vector<Target>{send("2", 3), send("2", 4)}; });
    graph.add_conditional_edges("2", [](const Trail&) { return "3"; });
    EXPECT_EQ(walk(graph), observed("06"));
}

TEST(Conformance, Case07ConditionalEdgeAfterTwoSendsRunsItsTargetOnce) {
    auto graph = trail({"1", "2", "3"});
    graph.add_edge(kStart, "1");
    graph.add_conditional_edges("1", [](const Trail& state) { return std::vector<Target>{send("2", state), send("2", state)}; });
    graph.add_conditional_edges("2", [](const Trail&) { return "3"; });
    EXPECT_EQ(walk(graph), observed("07"));
}

struct Batch {
    std::vector<int> xs;
    std::vector<int> out;
};

TEST(Conformance, Case08SendFromTheStart) {
    StateGraph<Batch> graph;
    graph.channel("xs", &Batch::xs);
    graph.channel("out", &Batch::out, append());
    graph.add_node<int>("w", [](event::Context, int i) -> Result<Update<Batch>> { return Update<Batch>{}.set(&Batch::out, {i * 10}); });
    graph.add_conditional_edges(kStart, [](const Batch& state) {
        std::vector<Target> sends;
        for (const int x : state.xs) sends.push_back(send("w", x));
        return sends;
    });
    const auto out = invoke(graph, Batch{{3, 1, 2}, {}});
    ASSERT_TRUE(out);
    EXPECT_EQ(json::value_from(out->xs), *find(observed("08"), "xs"));
    EXPECT_EQ(json::value_from(out->out), *find(observed("08"), "out"));
}

// Ends only when the gate above it is open, then opens its own: the last one ends first.
asio::awaitable<Result<Update<Batch>>> end_in_reverse(std::vector<Gate>* gates, int i) {
    if (i + 1 < static_cast<int>(gates->size())) co_await (*gates)[i + 1].wait();
    (*gates)[i].open();
    co_return Update<Batch>{}.set(&Batch::out, {i});
}

TEST(Conformance, Case09UpdatesInCompletionOrderWritesInSendOrder) {
    std::vector<Gate> gates(3);
    StateGraph<Batch> graph;
    graph.channel("out", &Batch::out, append());
    graph.add_node<int>("w", [&](event::Context, int i) { return end_in_reverse(&gates, i); });
    graph.add_conditional_edges(kStart, [](const Batch&) { return std::vector<Target>{send("w", 0), send("w", 1), send("w", 2)}; });
    json::array updates;
    RunOptions options;
    options.on_event = [&](const StreamEvent& event) {
        if (event.kind != StreamEvent::Kind::update) return;
        updates.push_back({{event.node, {{"out", json::value_from(*event.written(&Batch::out))}}}});
    };
    const auto out = invoke(graph, Batch{}, options);
    ASSERT_TRUE(out);
    EXPECT_EQ(json::value_from(out->out), *find(*find(observed("09"), "final"), "out"));
    EXPECT_EQ(updates, *find(observed("09"), "updates"));
}

struct Text {
    std::string x;
};

void add_letter(StateGraph<Text>& graph, const std::string& letter) {
    graph.add_node(letter,
                   [letter](event::Context, Text state) -> Result<Update<Text>> { return Update<Text>{}.set(&Text::x, state.x + letter); });
}

TEST(Conformance, Case10GoToWithoutAnEdge) {
    StateGraph<Text> graph;
    graph.channel("x", &Text::x);
    graph.add_node(
        "a", [](event::Context, Text state) -> Result<Update<Text>> { return Update<Text>{}.go_to("b").set(&Text::x, state.x + "a"); });
    add_letter(graph, "b");
    add_letter(graph, "c");
    graph.add_edge(kStart, "a");
    const auto out = invoke(graph, Text{});
    ASSERT_TRUE(out);
    EXPECT_EQ(out->x, *get_string(observed("10"), "x"));
}

TEST(Conformance, Case11GoToAddsToAnEdge) {
    auto graph = trail({"b", "c"});
    graph.add_node("a", [](event::Context, Trail) -> Result<Update<Trail>> { return Update<Trail>{}.go_to("b").set(&Trail::out, {"a"}); });
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "c");
    EXPECT_EQ(walk(graph), observed("11"));
}

TEST(Conformance, Case12GoToTheParentEndsTheInnerGraph) {
    auto inner = trail({"c2"});
    inner.add_node(
        "c1", [](event::Context, Trail) -> Result<Update<Trail>> { return Update<Trail>{}.go_to_parent("p2").set(&Trail::out, {"c1"}); });
    inner.add_edge(kStart, "c1");
    inner.add_edge("c1", "c2");
    auto outer = trail({"p2"});
    outer.add_node("sub", *inner.compile());
    outer.add_edge(kStart, "sub");
    EXPECT_EQ(walk(outer), *find(observed("12"), "out"));
    EXPECT_EQ(code_of(invoke(inner, Trail{})), ErrorCode::invalid_argument);  // nobody above it
}

TEST(Conformance, Case13RecursionLimitEndsALoop) {
    int calls = 0;
    StateGraph<Numbers> graph;
    graph.channel("x", &Numbers::x);
    graph.add_node("a", [&](event::Context, Numbers state) -> Result<Update<Numbers>> {
        ++calls;
        return Update<Numbers>{}.set(&Numbers::x, state.x + 1);
    });
    graph.add_edge(kStart, "a");
    graph.add_conditional_edges("a", [](const Numbers&) { return "a"; });
    EXPECT_EQ(code_of(invoke(graph, Numbers{}, {.recursion_limit = 3})), ErrorCode::limit);
    EXPECT_EQ(calls, *get_int(observed("13"), "calls"));
    EXPECT_EQ(RunOptions{}.recursion_limit, *get_int(observed("13"), "default"));
}

TEST(Conformance, Case14ThreeStepsNeedALimitOfFour) {
    auto graph = trail({"a", "b", "c"});
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "b");
    graph.add_edge("b", "c");
    EXPECT_EQ(code_of(invoke(graph, Trail{}, {.recursion_limit = 2})), ErrorCode::limit);
    EXPECT_EQ(code_of(invoke(graph, Trail{}, {.recursion_limit = 3})), ErrorCode::limit);
    EXPECT_TRUE(invoke(graph, Trail{}, {.recursion_limit = 4}));
    EXPECT_EQ(code_of(invoke(graph, Trail{}, {.recursion_limit = 0})), ErrorCode::invalid_argument);
}

Result<JsonState> run_returning(json::value returned) {
    StateGraph<JsonState> graph;
    graph.channel("x");
    graph.add_node("a", [returned](event::Context, const JsonState&) -> Result<json::value> { return returned; });
    graph.add_edge(kStart, "a");
    return invoke(graph, JsonState{{{"x", 0}}});
}

TEST(Conformance, Case32UnknownKeysAreIgnoredOtherKindsAreNot) {
    const auto ignored = run_returning({{"y", 1}});
    ASSERT_TRUE(ignored);
    EXPECT_EQ(json::value(ignored->values), observed("32", "unknown_key"));
    EXPECT_EQ(code_of(run_returning("s")), ErrorCode::invalid_argument);
    EXPECT_THAT(observed("32", "string").as_string().c_str(), HasSubstr("InvalidUpdateError"));
    EXPECT_EQ(run_returning(nullptr)->values, (json::object{{"x", 0}}));
}

// Of a typed state a key is a member, and one without a channel is a mistake of the graph.
TEST(Conformance, Case32WritingAMemberWithoutChannelIsAnError) {
    StateGraph<Numbers> graph;
    graph.channel("x", &Numbers::x);
    graph.add_node("a", [](event::Context, Numbers) -> Result<Update<Numbers>> { return Update<Numbers>{}.set(&Numbers::y, 1); });
    graph.add_edge(kStart, "a");
    EXPECT_EQ(code_of(invoke(graph, Numbers{})), ErrorCode::invalid_argument);
}

Result<Trail> overwrite_beside(bool twice) {
    auto graph = trail({"a", "d"});
    graph.add_node("b", [](event::Context, Trail) -> Result<Update<Trail>> { return Update<Trail>{}.overwrite(&Trail::out, {"b"}); });
    graph.add_node("c", [twice](event::Context, Trail) -> Result<Update<Trail>> {
        if (twice) return Update<Trail>{}.overwrite(&Trail::out, {"c"});
        return leave({"c"});
    });
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "b");
    graph.add_edge("a", "c");
    graph.add_edge("b", "d");
    graph.add_edge("c", "d");
    return invoke(graph, Trail{{"S"}});
}

TEST(Conformance, Case33OverwriteSilencesTheReducer) {
    const auto once = overwrite_beside(false);
    ASSERT_TRUE(once);
    EXPECT_EQ(json::value_from(once->out), *find(*find(observed("33"), "one"), "m"));
    EXPECT_EQ(code_of(overwrite_beside(true)), ErrorCode::invalid_argument);
}

struct Peak {
    int now = 0;
    int most = 0;
};

asio::awaitable<Result<Update<Batch>>> count_peak(Peak* peak, int i) {
    peak->most = std::max(peak->most, ++peak->now);
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    --peak->now;
    co_return Update<Batch>{}.set(&Batch::out, {i});
}

TEST(Conformance, Case35MaxConcurrency) {
    for (const std::size_t limit : {2, 0, 1}) {
        Peak peak;
        StateGraph<Batch> graph;
        graph.channel("out", &Batch::out, append());
        graph.add_node<int>("w", [&](event::Context, int i) { return count_peak(&peak, i); });
        graph.add_conditional_edges(kStart, [](const Batch&) {
            std::vector<Target> sends;
            for (int i = 0; i < 6; ++i) sends.push_back(send("w", i));
            return sends;
        });
        const auto out = invoke(graph, Batch{}, {.max_concurrency = limit});
        ASSERT_TRUE(out);
        EXPECT_EQ(json::value_from(out->out), *find(*find(observed("35"), "r"), "out"));
        if (limit == 1)
            EXPECT_EQ(peak.most, 1);
        else
            EXPECT_EQ(peak.most, *get_int(observed("35"), limit == 2 ? "peak2" : "peak_unlimited"));
    }
}

TEST(Conformance, Case37InputAndOutputChannels) {
    StateGraph<JsonState> graph;
    graph.channel("a");
    graph.channel("b");
    graph.add_node("n", [](event::Context, const JsonState& state) -> Result<json::value> {
        EXPECT_FALSE(state.values.contains("b"));
        return json::object{{"b", state.values.at("a").as_int64() + 1}};
    });
    graph.add_edge(kStart, "n");
    const auto out =
        run_on_loop(compiled(graph, {.input_channels = {"a"}, .output_channels = {"b"}}).invoke({}, JsonState{{{"a", 1}, {"b", 100}}}));
    ASSERT_TRUE(out);
    EXPECT_EQ(json::value(out->values), observed("37"));
}

struct Question {
    int a = 0;
    int b = 0;
};

StateGraph<Question> answering() {
    StateGraph<Question> graph;
    graph.channel("a", &Question::a);
    graph.channel("b", &Question::b);
    graph.add_node("n", [](event::Context, Question state) -> Result<Update<Question>> {
        EXPECT_EQ(state.b, 0);
        return Update<Question>{}.set(&Question::b, state.a + 1);
    });
    graph.add_edge(kStart, "n");
    return graph;
}

asio::awaitable<Result<Update<Numbers>>> ask_inner(CompiledGraph<Question> inner, event::Context context, Numbers state) {
    const auto answer = co_await inner.invoke(context, Question{.a = state.x});  // y stays outside
    if (!answer) co_return fail(answer.error());
    co_return Update<Numbers>{}.set(&Numbers::y, answer->b);
}

TEST(Conformance, Case37AGraphWithAnotherStateInsideANode) {
    const auto inner = compiled(answering());
    StateGraph<Numbers> calls;
    calls.channel("y", &Numbers::y);
    calls.add_node("ask", [inner](event::Context context, Numbers state) { return ask_inner(inner, context, state); });
    calls.add_edge(kStart, "ask");
    StateGraph<Numbers> contains;
    contains.channel("y", &Numbers::y);
    contains.add_node(
        "ask", inner, [](const Numbers& state) { return Question{.a = state.x}; },
        [](const Question& answer) { return Update<Numbers>{}.set(&Numbers::y, answer.b); });
    contains.add_edge(kStart, "ask");
    for (const auto* graph : {&calls, &contains}) {
        const auto out = invoke(*graph, Numbers{1, 100});
        ASSERT_TRUE(out);
        EXPECT_EQ(json::value(out->y), observed("37", "b"));
    }
}

TEST(Conformance, Case39NoInputAndGraphsThatAreWrong) {
    auto fine = trail({"a"});
    fine.add_edge(kStart, "a");
    EXPECT_EQ(code_of(run_on_loop(compiled(fine).run({}, Resume{}))), ErrorCode::invalid_argument);
    EXPECT_EQ(code_of(trail({"a"}).compile()), ErrorCode::invalid_argument);  // no entry
    auto unknown = trail({"a"});
    unknown.add_edge(kStart, "a");
    unknown.add_edge("a", "b");
    EXPECT_EQ(code_of(unknown.compile()), ErrorCode::invalid_argument);
    auto twice = trail({"a", "a"});
    twice.add_edge(kStart, "a");
    EXPECT_EQ(code_of(twice.compile()), ErrorCode::invalid_argument);
    auto reserved = trail({"a", std::string(kStart)});
    reserved.add_edge(kStart, "a");
    EXPECT_EQ(code_of(reserved.compile()), ErrorCode::invalid_argument);
}

// LangGraph drops unknown targets with a warning; here they are errors.
TEST(Conformance, Case39UnknownTargetsWhileRunning) {
    for (const Target& target : {Target("zz"), send("zz", 1), send("a", 1), Target(kStart)}) {
        auto graph = trail({});
        graph.add_node("a", [target](event::Context, Trail) -> Result<Update<Trail>> { return Update<Trail>{}.go_to(target); });
        graph.add_edge(kStart, "a");
        EXPECT_EQ(code_of(invoke(graph, Trail{})), ErrorCode::invalid_argument) << target.node;
    }
}

asio::awaitable<Result<Update<Trail>>> wait_at(Gate* gate, Names* log) {
    try {
        co_await gate->wait();
        log->push_back("slow-done");
    } catch (const boost::system::system_error&) {
        log->push_back("slow-cancelled");
        throw;
    }
    co_return leave({"slow"});
}

asio::awaitable<Result<Update<Trail>>> fail_later() {
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    co_return fail(ErrorCode::http_status, "bad");
}

TEST(Conformance, Case41AFailureCancelsItsSiblings) {
    Gate never;
    Names log;
    auto graph = trail({});
    graph.add_node("slow", [&](event::Context, Trail) { return wait_at(&never, &log); });
    graph.add_node("bad", [](event::Context, Trail) { return fail_later(); });
    graph.add_edge(kStart, "slow");
    graph.add_edge(kStart, "bad");
    EXPECT_EQ(code_of(invoke(graph, Trail{})), ErrorCode::http_status);
    EXPECT_EQ(json::value_from(log), *find(observed("41"), "log"));
}

TEST(Conformance, Case42ARouterSeesItsOwnTasksWritesOnly) {
    json::object seen;
    auto graph = trail({"a", "b"});
    for (const std::string name : {"a", "b"}) {
        graph.add_edge(kStart, name);
        graph.add_conditional_edges(name, [&seen, name](const Trail& state) {
            seen[name] = json::value_from(state.out);
            return kEnd;
        });
    }
    walk(graph);
    EXPECT_EQ(seen, observed("42"));
}

TEST(Conformance, Case43RouterToSeveralAndToTheEnd) {
    auto both = trail({"a", "b", "c"});
    both.add_edge(kStart, "a");
    both.add_conditional_edges("a", [](const Trail&) { return Names{"b", "c"}; });
    auto end = trail({"a", "b"});
    end.add_edge(kStart, "a");
    end.add_conditional_edges("a", [](const Trail&) { return std::vector<Target>{"b", kEnd}; });
    EXPECT_EQ((json::array{walk(both, {}), walk(end, {})}), observed("43"));
}

TEST(Conformance, Case45RemainingSteps) {
    json::array seen;
    auto graph = trail({});
    for (const std::string name : {"a", "b"})
        graph.add_node(name, [&seen](event::Context, const Trail&, StepInfo info) -> Result<Update<Trail>> {
            seen.push_back({info.remaining_steps, info.is_last_step()});
            return Update<Trail>{};
        });
    graph.add_edge(kStart, "a");
    graph.add_edge("a", "b");
    ASSERT_TRUE(invoke(graph, Trail{}, {.recursion_limit = 5}));
    EXPECT_EQ(seen, observed("45"));
}

}  // namespace
}  // namespace plimsoll::graph
