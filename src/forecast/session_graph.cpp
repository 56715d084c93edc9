#include "forecast/session_graph.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace plimsoll::forecast {
namespace {

using event::Category;
using event::Span;

struct Tree {
    std::vector<std::vector<std::size_t>> children;  // in the order of their start
    std::vector<std::size_t> top;                    // without a known parent
};

Tree make_tree(std::span<const Span> spans) {
    std::unordered_map<std::string_view, std::size_t> by_id;
    for (std::size_t i = 0; i < spans.size(); ++i) by_id.emplace(spans[i].uuid, i);
    Tree tree;
    tree.children.resize(spans.size());
    // A parent that starts after its child would make a circle; such a span counts as one without a parent.
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const auto parent = by_id.find(spans[i].parent_id);
        if (parent == by_id.end() || parent->second >= i)
            tree.top.push_back(i);
        else
            tree.children[parent->second].push_back(i);
    }
    return tree;
}

class GraphMaker {
  public:
    GraphMaker(std::span<const Span> spans, ResourceNames& names) : spans_(spans), names_(names), tree_(make_tree(spans)) {}

    SessionGraph make() {
        add_children(tree_.top, -1, spans_.empty() ? 0 : spans_.front().start);
        return std::move(graph_);
    }

  private:
    struct Placed {
        double start = 0, end = 0;
        int last_task = -1;
        std::vector<int> after;
        double after_end = 0;  // when the latest of `after` ended in the record
    };

    int add(Task task) {
        graph_.tasks.push_back(std::move(task));
        return static_cast<int>(graph_.tasks.size()) - 1;
    }

    Task make_leaf(std::size_t index) {
        const Span& span = spans_[index];
        Task task;
        task.span = index;
        if (span.category == Category::llm) {
            task.kind = TaskKind::model;
            task.resource = ResourceNames::index_of(names_.models, span.name);
            const auto& usage = span.usage;
            const auto tokens = [](std::int64_t n) { return static_cast<int>(std::clamp<std::int64_t>(n, 0, 1 << 24)); };
            task.cached = std::min(tokens(usage.cached_tokens), tokens(usage.prompt_tokens));
            task.prompt = std::max(1, tokens(usage.prompt_tokens) - task.cached);
            task.output =
                std::max({1, tokens(usage.completion_tokens), usage.completion_tokens > 0 ? 0 : tokens(std::ssize(span.token_times))});
        } else {
            task.seconds = std::max(0.0, span.duration());
            if (span.category == Category::tool) {
                task.kind = TaskKind::tool;
                task.resource = ResourceNames::index_of(names_.tools, span.name);
            }
        }
        return task;
    }

    // Adds the span with everything below it; returns the task whose end is the span's end.
    int add_span(std::size_t index, std::vector<int> after, double gap) {
        const auto& children = tree_.children[index];
        if (children.empty()) {
            Task task = make_leaf(index);
            task.after = std::move(after);
            task.gap = gap;
            return add(std::move(task));
        }
        Task fork;
        fork.after = std::move(after);
        fork.gap = gap;
        const int first = add(std::move(fork));
        return add_children(children, first, spans_[index].start, spans_[index].end);
    }

    int add_children(const std::vector<std::size_t>& children, int parent, double parent_start, double parent_end = 0) {
        std::vector<Placed> placed;
        double last_end = parent_start;
        for (const std::size_t child : children) {
            const Span& span = spans_[child];
            Placed next{.start = span.start, .end = span.end};
            choose_predecessors(placed, parent, parent_start, next);
            const double gap = std::max(0.0, span.start - next.after_end);
            next.last_task = add_span(child, next.after, gap);
            last_end = std::max(last_end, span.end);
            placed.push_back(std::move(next));
        }
        if (parent < 0 && placed.size() == 1) return placed.front().last_task;
        Task join;
        join.after = open_ends(placed);
        join.gap = std::max(0.0, parent_end - last_end);
        return add(std::move(join));
    }

    // Of siblings in a chain only the last is waited for; it waits for the others.
    static std::vector<int> open_ends(const std::vector<Placed>& placed) {
        std::vector<int> ends;
        for (const Placed& one : placed) {
            const auto waits_for_it = [&](const Placed& other) {
                return std::ranges::find(other.after, one.last_task) != other.after.end();
            };
            if (std::ranges::none_of(placed, waits_for_it)) ends.push_back(one.last_task);
        }
        return ends;
    }

    static double slack_of(const Placed& placed) { return std::min(kClockSlack, 0.1 * (placed.end - placed.start)); }

    static void choose_predecessors(const std::vector<Placed>& placed, int parent, double parent_start, Placed& next) {
        next.after_end = parent_start;
        if (!placed.empty() && starts_together(placed, next.start)) {
            next.after = placed.back().after;
            next.after_end = placed.back().after_end;
            return;
        }
        bool any_running = false;
        const Placed* latest = nullptr;
        for (const Placed& other : placed) {
            if (other.end - slack_of(other) > next.start)
                any_running = true;
            else if (!latest || other.end > latest->end)
                latest = &other;
        }
        if (latest) {
            next.after_end = latest->end;
            if (any_running)
                next.after.push_back(latest->last_task);
            else
                next.after = open_ends(placed);
        } else if (parent >= 0) {
            next.after.push_back(parent);
        }
    }

    // Whether nothing ended between the start of the last sibling and `start`.
    static bool starts_together(const std::vector<Placed>& placed, double start) {
        const double before = placed.back().start;
        return std::ranges::none_of(placed, [&](const Placed& other) {
            const double end = other.end - slack_of(other);
            return end > before && end <= start;
        });
    }

    std::span<const Span> spans_;
    ResourceNames& names_;
    Tree tree_;
    SessionGraph graph_;
};

}  // namespace

int ResourceNames::index_of(std::vector<std::string>& names, const std::string& name) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<int>(found - names.begin());
    names.push_back(name);
    return static_cast<int>(names.size()) - 1;
}

SessionGraph make_session_graph(std::span<const event::Span> spans, ResourceNames& names) { return GraphMaker(spans, names).make(); }

int mark_named(const SessionGraph& graph, std::span<const event::Span> spans, const std::string& name, int keep, std::vector<char>& marks) {
    std::unordered_map<std::string_view, std::size_t> by_id;
    for (std::size_t i = 0; i < spans.size(); ++i) by_id.emplace(spans[i].uuid, i);
    // Which span of the name each span lies below, by their start: 1, 2, …; 0 for none.
    std::vector<int> inside(spans.size(), 0);
    int count = 0;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const auto parent = by_id.find(spans[i].parent_id);
        if (parent != by_id.end() && parent->second < i) inside[i] = inside[parent->second];
        if (inside[i] == 0 && (spans[i].name == name || spans[i].function.function_name == name)) inside[i] = ++count;
    }
    marks.resize(graph.tasks.size(), 0);
    int found = 0;
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
        const std::size_t span = graph.tasks[i].span;
        if (span == Task::kNoSpan || inside[span] == 0) continue;
        ++found;
        if (inside[span] > keep) marks[i] = 1;
    }
    return found;
}

SessionGraph without_marked(SessionGraph graph, std::span<const char> marks) {
    for (std::size_t i = 0; i < marks.size(); ++i) {
        if (!marks[i]) continue;
        Task& task = graph.tasks[i];
        task.kind = TaskKind::pause;
        task.seconds = task.gap = 0;
    }
    return graph;
}

double critical_path(const SessionGraph& graph, std::span<const double> model_seconds) {
    std::vector<double> end(graph.tasks.size(), 0);
    double last = 0;
    for (std::size_t i = 0; i < graph.tasks.size(); ++i) {
        const Task& task = graph.tasks[i];
        double start = 0;
        for (const int before : task.after) start = std::max(start, end[static_cast<std::size_t>(before)]);
        end[i] = start + task.gap + (task.kind == TaskKind::model ? model_seconds[i] : task.seconds);
        last = std::max(last, end[i]);
    }
    return last;
}

}  // namespace plimsoll::forecast
