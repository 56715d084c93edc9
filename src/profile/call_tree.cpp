#include "profile/call_tree.h"

#include <algorithm>
#include <unordered_map>

namespace plimsoll::profile {
namespace {

using Index = std::optional<std::size_t>;
using Places = std::unordered_map<std::string_view, Index>;  // uuid -> the kept span it stands for, none at the root

Index find_parent(const event::Span& span, const Places& places) {
    const std::string_view ids[] = {span.parent_id, span.function.function_id,
                                    span.function.parent_id ? std::string_view(*span.function.parent_id) : std::string_view()};
    for (const auto id : ids) {
        const auto found = places.find(id);
        if (id != span.uuid && found != places.end()) return found->second;
    }
    return std::nullopt;
}

// Only spans that started earlier are looked up, so that a trace whose ids form a circle still gives a tree.
void append_session(const std::vector<event::Span>& spans, std::size_t session, bool (*keep)(event::Category), CallTree& tree) {
    Places places;
    std::vector<std::vector<std::size_t>> children(spans.size());
    std::vector<std::size_t> roots;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const Index parent = find_parent(spans[i], places);
        const bool kept = keep(spans[i].category);
        places[spans[i].uuid] = kept ? Index(i) : parent;
        if (kept) (parent ? children[*parent] : roots).push_back(i);
    }

    // Explicit stack: a trace from outside may nest deeper than the machine's own.
    struct Pending {
        std::size_t span;
        Index parent;
    };
    std::vector<Pending> stack;
    const auto push_reversed = [&](const std::vector<std::size_t>& list, Index parent) {
        for (auto i = list.rbegin(); i != list.rend(); ++i) stack.push_back({*i, parent});
    };
    push_reversed(roots, std::nullopt);
    while (!stack.empty()) {
        const auto [at, parent] = stack.back();
        stack.pop_back();
        const event::Span& span = spans[at];
        push_reversed(children[at], tree.size());
        tree.push_back({.span = &span,
                        .session = session,
                        .parent = parent,
                        .depth = parent ? tree[*parent].depth + 1 : 0,
                        .end = std::max(span.start, span.end)});
    }
}

}  // namespace

// Children come in the order of their start, so one pass finds the length of their union.
void compute_call_times(CallTree& tree) {
    std::vector<double> covered(tree.size(), 0);
    std::vector<double> covered_until(tree.size());
    for (std::size_t i = 0; i < tree.size(); ++i) {
        covered_until[i] = tree[i].start();
        if (!tree[i].parent) continue;
        const std::size_t parent = *tree[i].parent;
        const double from = std::max(tree[i].start(), covered_until[parent]);
        const double to = std::min(tree[i].end, tree[parent].end);
        if (to <= from) continue;
        covered[parent] += to - from;
        covered_until[parent] = to;
    }
    for (std::size_t i = tree.size(); i-- > 0;) {
        tree[i].self_time = std::max(0.0, tree[i].duration() - covered[i]);
        tree[i].subtree_time += tree[i].self_time;  // the children have added theirs
        if (tree[i].parent) tree[*tree[i].parent].subtree_time += tree[i].subtree_time;
    }
}

CallTree make_call_tree(const TraceView& view, bool (*keep)(event::Category)) {
    CallTree tree;
    for (std::size_t session = 0; session < view.spans.size(); ++session) append_session(view.spans[session].spans, session, keep, tree);
    compute_call_times(tree);
    return tree;
}

bool is_nested_call(event::Category category) {
    using enum event::Category;
    return category == llm || category == tool || category == function || category == span;
}

bool is_operation(event::Category category) { return category == event::Category::llm || category == event::Category::tool; }

bool is_call(event::Category category) { return category != event::Category::workflow; }

const std::string& call_name(const event::Span& span) { return span.name.empty() ? span.function.function_name : span.name; }

}  // namespace plimsoll::profile
