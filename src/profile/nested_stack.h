// Where the time of each call went, from the call tree (NAT 1.9.0, nested stack analysis).
#pragma once

#include "profile/analysis_output.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

// The report lists no more calls than this, unless it is to be NAT's.
inline constexpr std::size_t kMaxTreeLines = 200'000;

// Of the nested calls (is_nested_call). A call's bottleneck score is its subtree_time. Concurrency counts every
// call of every session, callers too. Two sessions that share a UUID share one entry of
// node_metrics; the last one stays. The top calls are chosen among those entries.
void analyse_nested_stack(const RunGraph& graph, std::size_t max_tree_lines, const AnalysisOutput& output);

}  // namespace plimsoll::profile
