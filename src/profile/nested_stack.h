// Where the time of each call went, from the call tree (NAT 1.9.0, nested stack analysis).
#pragma once

#include "profile/analysis_output.h"
#include "profile/call_tree.h"

namespace plimsoll::profile {

// `tree` holds nested calls only (is_nested_call). A call's bottleneck score is its subtree_time. Concurrency counts every
// call of every session, callers too. Two sessions that share a UUID share one entry of
// node_metrics; the last one stays. The top calls are chosen among those entries.
AnalysisOutput analyse_nested_stack(const CallTree& tree);

}  // namespace plimsoll::profile
