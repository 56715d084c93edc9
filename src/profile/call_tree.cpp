#include "profile/call_tree.h"

#include <algorithm>
#include <string_view>
#include <unordered_map>

namespace plimsoll::profile {
namespace {

void compute_times(std::span<Call> tree) {
    // Children come in the order of their start, so one pass finds the length of their union.
    std::vector<double> covered(tree.size(), 0);
    std::vector<double> covered_until(tree.size());
    for (std::size_t i = 0; i < tree.size(); ++i) {
        covered_until[i] = tree[i].start;
        if (tree[i].parent == kNoCall) continue;
        const std::size_t parent = tree[i].parent;
        const double from = std::max(tree[i].start, covered_until[parent]);
        const double to = std::min(tree[i].end, tree[parent].end);
        if (to <= from) continue;
        covered[parent] += to - from;
        covered_until[parent] = to;
    }
    for (Call& call : tree) call.subtree_time = 0;
    for (std::size_t i = tree.size(); i-- > 0;) {
        tree[i].self_time = std::max(0.0, tree[i].duration() - covered[i]);
        tree[i].subtree_time += tree[i].self_time;  // the children have added theirs
        if (tree[i].parent != kNoCall) tree[tree[i].parent].subtree_time += tree[i].subtree_time;
    }
}

}  // namespace

SiblingCalls roots_of(std::span<const Call> tree) { return {tree, 0, static_cast<std::uint32_t>(tree.size())}; }
SiblingCalls children_of(std::span<const Call> tree, std::uint32_t call) { return {tree, call + 1, call + tree[call].size}; }

std::vector<std::uint32_t> find_parents(std::span<const event::Span> spans) {
    std::unordered_map<std::string_view, std::uint32_t> places;
    std::vector<std::uint32_t> parents(spans.size(), kNoCall);
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const event::Span& span = spans[i];
        const std::string_view ids[] = {span.parent_id, span.function.function_id,
                                        span.function.parent_id ? std::string_view(*span.function.parent_id) : std::string_view()};
        for (const auto id : ids) {
            const auto found = places.find(id);
            if (id == span.uuid || found == places.end()) continue;
            parents[i] = found->second;
            break;
        }
        places[span.uuid] = i;
    }
    return parents;
}

std::vector<std::uint32_t> make_preorder(std::span<const std::uint32_t> parents) {
    std::vector<std::uint32_t> first_child(parents.size(), kNoCall), next_sibling(parents.size(), kNoCall);
    std::uint32_t first_root = kNoCall;
    for (auto i = static_cast<std::uint32_t>(parents.size()); i-- > 0;) {
        std::uint32_t& list = parents[i] == kNoCall ? first_root : first_child[parents[i]];
        next_sibling[i] = list;
        list = i;
    }
    std::vector<std::uint32_t> order;
    order.reserve(parents.size());
    for (std::uint32_t at = first_root; at != kNoCall;) {
        order.push_back(at);
        std::uint32_t next = first_child[at];
        for (; next == kNoCall && at != kNoCall; at = parents[at]) next = next_sibling[at];
        at = next;
    }
    return order;
}

void complete_tree(std::span<Call> tree) {
    for (Call& call : tree) {
        call.depth = call.parent == kNoCall ? 0 : tree[call.parent].depth + 1;
        call.size = 1;
    }
    for (std::size_t i = tree.size(); i-- > 0;)
        if (tree[i].parent != kNoCall) tree[tree[i].parent].size += tree[i].size;
    compute_times(tree);
}

bool is_nested_call(event::Category category) {
    using enum event::Category;
    return category == llm || category == tool || category == function || category == span;
}

bool is_operation(event::Category category) { return category == event::Category::llm || category == event::Category::tool; }

bool is_call(event::Category category) { return category != event::Category::workflow; }

}  // namespace plimsoll::profile
