// When too many LLM and tool calls were in flight, and what that did to latency (NAT 1.9.0, concurrency spike analysis).
#pragma once

#include "profile/analysis_output.h"
#include "profile/concurrency.h"
#include "profile/trace_view.h"

namespace plimsoll::profile {

// All spikes together list at most this many active calls by UUID, since their number grows with the square of the load;
// later spikes have an empty list and count in `plimsoll.spikes_without_uuids`.
inline constexpr std::size_t kMaxListedUuids = 250'000;

struct UuidLists {
    std::size_t max_listed = kMaxListedUuids;
    bool merge_equal = false;  // NAT: calls that share a UUID are one in the list and its length
};

// A spike is a segment of the timeline with at least `threshold` calls in flight; adjacent ones stay apart. Token averages are
// over pairs of a spike and a call in flight. Latency by concurrency takes the level in the middle of a call, successful
// calls only. n log n plus the length of the lists.
AnalysisOutput analyse_concurrency_spikes(const TraceView& view, int threshold, UuidLists lists = {});

// LLM and tool calls in flight over the run.
std::vector<Segment> compute_call_timeline(const TraceView& view);

}  // namespace plimsoll::profile
