// When too many LLM and tool calls were in flight, and what that did to latency (NAT 1.9.0, concurrency spike analysis).
#pragma once

#include "profile/analysis_output.h"
#include "profile/concurrency.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

// All spikes together list at most this many active calls by UUID, since their number grows with the square of the load;
// later spikes have an empty list and count in `plimsoll.spikes_without_uuids`.
inline constexpr std::size_t kMaxListedUuids = 250'000;
// NAT's files list all UUIDs of all spikes. That is quadratic in the load, so the list ends here too.
inline constexpr std::size_t kMaxListedNatUuids = 4'000'000;

// The report lists no more spikes than this, unless it is to be NAT's.
inline constexpr std::size_t kMaxSpikeLines = 200'000;

struct SpikeLimits {
    std::size_t listed_uuids = kMaxListedUuids;
    std::size_t report_lines = kMaxSpikeLines;
    bool merge_equal = false;  // NAT: calls that share a UUID are one in the list and its length
};

// A spike is a segment of the timeline with at least `threshold` calls in flight; adjacent ones stay apart. Token averages are
// over pairs of a spike and a call in flight. Latency by concurrency takes the level in the middle of a call, successful
// calls only. n log n plus the length of the lists.
void analyse_concurrency_spikes(const RunGraph& graph, int threshold, const SpikeLimits& limits, const AnalysisOutput& output);

// LLM and tool calls in flight over the run.
std::vector<Segment> compute_call_timeline(const RunGraph& graph);

}  // namespace plimsoll::profile
