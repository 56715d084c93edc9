// Each operation's durations and how often it overlapped itself (NAT 1.9.0, simple stack analysis).
#pragma once

#include "profile/analysis_output.h"
#include "profile/trace_view.h"

namespace plimsoll::profile {

// LLM and tool calls that succeeded, by category and name. The score is mean duration × highest concurrency; calls that meet
// end to start do not overlap.
AnalysisOutput analyse_simple_stack(const TraceView& view);

}  // namespace plimsoll::profile
