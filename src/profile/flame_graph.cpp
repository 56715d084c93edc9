#include "profile/flame_graph.h"

#include <map>

namespace plimsoll::profile {
namespace {

struct Merged {
    FlameNode node;
    std::vector<std::size_t> children;
};

// In the order of first calls. Calls below kMaxFlameDepth merge into none.
std::vector<Merged> merge_paths(const RunGraph& graph, std::vector<std::size_t>& roots, std::size_t& too_deep) {
    std::vector<Merged> merged;
    std::map<std::pair<std::optional<std::size_t>, std::uint32_t>, std::size_t> known;  // parent and step -> index
    std::vector<std::size_t> node_of;
    for (const SessionRow& session : graph.sessions) {
        const auto tree = graph.calls_of(session);
        node_of.resize(tree.size());
        for (std::size_t i = 0; i < tree.size(); ++i) {
            const Call& call = tree[i];
            if (call.depth >= kMaxFlameDepth) {
                ++too_deep;
                continue;
            }
            std::optional<std::size_t> parent;
            if (call.parent != kNoCall) parent = node_of[call.parent];
            const auto [found, is_new] = known.try_emplace({parent, call.step}, merged.size());
            if (is_new) {
                (parent ? merged[*parent].children : roots).push_back(merged.size());
                const int depth = static_cast<int>(call.depth);
                merged.push_back({{.parent = parent, .depth = depth, .category = call.category, .name = graph.shown_name(call)}, {}});
            }
            FlameNode& node = merged[found->second].node;
            ++node.calls;
            node.seconds += call.subtree_time;
            node.self_seconds += call.self_time;
            node_of[i] = found->second;
        }
    }
    return merged;
}

}  // namespace

FlameGraph make_flame_graph(const RunGraph& graph) {
    FlameGraph flame;
    std::vector<std::size_t> roots;
    std::vector<Merged> merged = merge_paths(graph, roots, flame.left_out);
    for (const std::size_t root : roots) flame.seconds += merged[root].node.seconds;

    struct Pending {
        std::size_t index;
        std::optional<std::size_t> parent;
    };
    std::vector<Pending> stack;
    const auto push_reversed = [&](const std::vector<std::size_t>& list, std::optional<std::size_t> parent) {
        for (auto i = list.rbegin(); i != list.rend(); ++i) stack.push_back({*i, parent});
    };
    push_reversed(roots, std::nullopt);
    while (!stack.empty()) {
        const auto [index, parent] = stack.back();
        stack.pop_back();
        push_reversed(merged[index].children, flame.nodes.size());
        const FlameNode& node = merged[index].node;
        if (node.seconds < kLeastFlameShare * flame.seconds || flame.seconds <= 0) {
            // What is below is smaller still: it comes by here too, and is counted.
            ++flame.left_out;
            continue;
        }
        flame.nodes.push_back(node);
        flame.nodes.back().parent = parent;
    }
    return flame;
}

}  // namespace plimsoll::profile
