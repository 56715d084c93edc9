// All sessions merged into one tree of call paths: where the work of the whole run is.
//
// A node's width is the work of its calls, their own time and that of everything they called (Call::subtree_time), in
// seconds: children that ran in parallel fit side by side under their caller, which a width by wall time would not allow.
#pragma once

#include <optional>
#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

struct FlameNode {
    std::optional<std::size_t> parent;  // index in the graph, smaller than the node's own
    int depth = 0;
    event::Category category = event::Category::custom;
    std::string name;
    std::size_t calls = 0;
    double seconds = 0;       // of its calls and all below
    double self_seconds = 0;  // of its calls alone
};

struct FlameGraph {
    std::vector<FlameNode> nodes;  // in preorder; siblings in the order of their first call
    double seconds = 0;            // of the roots
    std::size_t left_out = 0;      // nodes too small or too deep to list; their time is in their callers
};

// Nodes with a smaller share of all work are left out, which also bounds how many there are at one depth.
inline constexpr double kLeastFlameShare = 0.0005;
inline constexpr int kMaxFlameDepth = 48;

FlameGraph make_flame_graph(const RunGraph& graph);

}  // namespace plimsoll::profile
