#include "forecast/session_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace plimsoll::forecast {
namespace {

using event::Category;
using event::Span;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Span make_span(std::string id, std::string parent, Category category, double start, double end) {
    Span span;
    span.uuid = span.name = std::move(id);
    span.parent_id = std::move(parent);
    span.category = category;
    span.start = start;
    span.end = end;
    span.finished = true;
    span.usage.prompt_tokens = 100;
    span.usage.completion_tokens = 10;
    return span;
}

struct Graph {
    explicit Graph(std::vector<Span> all) : spans(std::move(all)) {
        std::ranges::stable_sort(spans, {}, &Span::start);
        graph = make_session_graph(spans, names);
    }
    // Names of the work that must end before `name` starts; forks and joins are looked through.
    std::vector<std::string> before(const std::string& name) const {
        std::vector<std::string> out;
        for (const Task& task : graph.tasks)
            if (task.span != Task::kNoSpan && spans[task.span].name == name) collect(task, out);
        std::ranges::sort(out);
        const auto [first, last] = std::ranges::unique(out);
        out.erase(first, last);
        return out;
    }
    void collect(const Task& task, std::vector<std::string>& out) const {
        for (const int index : task.after) {
            const Task& other = graph.tasks[static_cast<std::size_t>(index)];
            if (other.span != Task::kNoSpan)
                out.push_back(spans[other.span].name);
            else
                collect(other, out);
        }
    }
    double length() const {
        std::vector<double> seconds(graph.tasks.size(), 0);
        for (std::size_t i = 0; i < seconds.size(); ++i)
            if (graph.tasks[i].span != Task::kNoSpan) seconds[i] = spans[graph.tasks[i].span].duration();
        return critical_path(graph, seconds);
    }

    std::vector<Span> spans;
    ResourceNames names;
    SessionGraph graph;
};

TEST(SessionGraph, OfNothingIsEmptyWork) { EXPECT_EQ(Graph({}).length(), 0); }

TEST(SessionGraph, CallsOneAfterTheOtherAreAChainWithItsPauses) {
    const Graph graph({make_span("w", "root", Category::workflow, 0, 10), make_span("a", "w", Category::llm, 1, 3),
                       make_span("b", "w", Category::tool, 3.5, 5), make_span("c", "w", Category::llm, 5, 9)});
    EXPECT_THAT(graph.before("a"), IsEmpty());
    EXPECT_THAT(graph.before("b"), ElementsAre("a"));
    EXPECT_THAT(graph.before("c"), ElementsAre("b"));
    EXPECT_DOUBLE_EQ(graph.length(), 10);
}

TEST(SessionGraph, BranchesUnderTheirOwnSpansStayApart) {
    const Graph graph({make_span("w", "root", Category::workflow, 0, 12), make_span("plan", "w", Category::llm, 0, 2),
                       make_span("x", "w", Category::function, 2, 8), make_span("xt", "x", Category::tool, 2, 3),
                       make_span("xl", "x", Category::llm, 3, 8), make_span("y", "w", Category::function, 2, 7),
                       make_span("yt", "y", Category::tool, 2, 5), make_span("yl", "y", Category::llm, 5, 7),
                       make_span("end", "w", Category::llm, 8, 12)});
    EXPECT_THAT(graph.before("xt"), ElementsAre("plan"));
    EXPECT_THAT(graph.before("xl"), ElementsAre("xt"));
    EXPECT_THAT(graph.before("yl"), ElementsAre("yt"));
    EXPECT_THAT(graph.before("end"), UnorderedElementsAre("xl", "yl"));
    EXPECT_DOUBLE_EQ(graph.length(), 12);
}

TEST(SessionGraph, FlatSiblingsForkTogetherAndJoin) {
    const Graph graph({make_span("w", "root", Category::workflow, 0, 9), make_span("plan", "w", Category::llm, 0, 2),
                       make_span("a", "w", Category::llm, 2, 4), make_span("b", "w", Category::llm, 2.001, 6),
                       make_span("c", "w", Category::llm, 2.002, 5), make_span("end", "w", Category::llm, 6, 9)});
    for (const char* name : {"a", "b", "c"}) EXPECT_THAT(graph.before(name), ElementsAre("plan")) << name;
    EXPECT_THAT(graph.before("end"), UnorderedElementsAre("a", "b", "c"));
}

TEST(SessionGraph, ACallThatStartsWhenAnotherEndsWhileMoreRunFollowsThatOne) {
    const Graph graph({make_span("w", "root", Category::workflow, 0, 9), make_span("a", "w", Category::llm, 0, 2),
                       make_span("b", "w", Category::llm, 0, 6), make_span("c", "w", Category::llm, 2, 7)});
    EXPECT_THAT(graph.before("c"), ElementsAre("a"));
}

TEST(SessionGraph, AnEndSeenALittleLateStillComesBefore) {
    const Graph graph({make_span("w", "root", Category::workflow, 0, 9), make_span("a", "w", Category::llm, 0, 2.003),
                       make_span("b", "w", Category::llm, 2, 6)});
    EXPECT_THAT(graph.before("b"), ElementsAre("a"));
}

TEST(SessionGraph, CallsOfUnknownParentsAndCirclesAreKept) {
    const Graph graph(
        {make_span("a", "gone", Category::llm, 0, 2), make_span("b", "c", Category::llm, 3, 4), make_span("c", "b", Category::llm, 5, 6)});
    const auto calls = std::ranges::count(graph.graph.tasks, TaskKind::model, &Task::kind);
    EXPECT_EQ(calls, 2);  // b holds c, so b is no work of its own
    EXPECT_DOUBLE_EQ(graph.length(), 6);
}

TEST(SessionGraph, RemovedStepsTakeNoTimeButKeepTheOrder) {
    Graph graph({make_span("w", "root", Category::workflow, 0, 10), make_span("a", "w", Category::llm, 0, 3),
                 make_span("reflect", "w", Category::function, 3, 7), make_span("inner", "reflect", Category::llm, 3, 7),
                 make_span("c", "w", Category::llm, 7, 10)});
    std::vector<char> marks;
    EXPECT_EQ(mark_named(graph.graph, graph.spans, "nothing of this name", 0, marks), 0);
    EXPECT_EQ(mark_named(graph.graph, graph.spans, "reflect", 0, marks), 1);
    graph.graph = without_marked(std::move(graph.graph), marks);
    EXPECT_EQ(std::ranges::count(graph.graph.tasks, TaskKind::model, &Task::kind), 2);
    EXPECT_THAT(graph.before("c"), ElementsAre("inner"));
}

TEST(SessionGraph, OfSeveralStepsOfANameTheFirstAreKept) {
    Graph graph({make_span("w", "root", Category::workflow, 0, 9), make_span("reflect", "w", Category::function, 0, 3),
                 make_span("a", "reflect", Category::llm, 0, 3), make_span("b", "w", Category::llm, 3, 6),
                 make_span("again", "w", Category::function, 6, 9), make_span("c", "again", Category::llm, 6, 9)});
    for (auto& span : graph.spans)
        if (span.uuid == "again") span.name = "reflect";
    std::vector<char> marks;
    EXPECT_EQ(mark_named(graph.graph, graph.spans, "reflect", 1, marks), 2);
    EXPECT_EQ(std::ranges::count(marks, 1), 1);
    graph.graph = without_marked(std::move(graph.graph), marks);
    EXPECT_EQ(std::ranges::count(graph.graph.tasks, TaskKind::model, &Task::kind), 2);
    EXPECT_THAT(graph.before("b"), ElementsAre("a"));
}

}  // namespace
}  // namespace plimsoll::forecast
