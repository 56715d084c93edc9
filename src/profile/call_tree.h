// The calls of a run as trees: who called whom, and how much of a call's time was its own.
//
// A span's parent is the span its parent_id names; where that id leads nowhere, the span of the function it ran in. Never a
// stack over time: parallel calls are siblings.
#pragma once

#include <optional>
#include <vector>

#include "profile/trace_view.h"

namespace plimsoll::profile {

struct Call {
    const event::Span* span = nullptr;  // in the TraceView
    std::size_t session = 0;            // index in the run
    std::optional<std::size_t> parent;  // index in the tree, smaller than the call's own
    int depth = 0;
    double end = 0;           // seconds since the epoch, never before the start
    double self_time = 0;     // seconds not covered by any child
    double subtree_time = 0;  // self_time and the subtree_time of all children: more than duration() where they run in parallel

    double start() const { return span->start; }
    double duration() const { return end - span->start; }
};

// In preorder: sessions in order, a call before its children, siblings by start.
using CallTree = std::vector<Call>;

// Spans that `keep` refuses are left out, and what they called moves up to the nearest call that is kept.
CallTree make_call_tree(const TraceView& view, bool (*keep)(event::Category));

// Fills self_time and subtree_time of a tree in preorder.
void compute_call_times(CallTree& tree);

// LLM, TOOL, FUNCTION and SPAN: the calls of NAT's nested analysis.
bool is_nested_call(event::Category category);
// LLM and TOOL.
bool is_operation(event::Category category);
// Everything but the workflow itself.
bool is_call(event::Category category);

// The span's own name, else that of the function it ran in.
const std::string& call_name(const event::Span& span);

}  // namespace plimsoll::profile
