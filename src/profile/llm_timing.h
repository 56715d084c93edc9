// How model calls felt: waiting for the first token, the pace after it, and waiting inside the client before the call began.
//
//   TTFT       first LLM_NEW_TOKEN − LLM_START, seconds
//   ITL        time between neighbouring LLM_NEW_TOKENs of a call, seconds, all gaps of all calls together. A piece may hold
//              more than one token; then it is the time between pieces.
//   tokens/s   completion tokens / (LLM_END − LLM_START)
//   queueing   LLM_START − intended start, seconds, never below 0
//
// Calls that succeeded only. The intended start is `metadata.intended_start` (or `metadata.provided_metadata.intended_start`)
// of the START: when the caller wanted the call to begin, seconds since the epoch. A client that limits its own concurrency
// or rate sets it before it waits, as `plimsoll load` does for sessions and calls and `eval` for sessions (when a place was free);
// without it there is no queueing to report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profile/distribution.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

struct LlmTiming {
    std::string name;  // of the model, or of the function the calls ran in
    std::size_t calls = 0;
    Distribution ttft;          // of the calls that streamed
    Distribution itl;           // gaps
    Distribution tokens_per_s;  // of the calls that reported tokens
    Distribution queueing;      // of the calls that say when they were meant to start
};

struct LlmTimings {
    std::vector<LlmTiming> models, functions;  // by name
    Distribution session_queueing;             // seconds, of the sessions whose WORKFLOW_START says when it was meant to start
};

LlmTimings compute_llm_timings(const RunGraph& graph);
json::value to_json(const LlmTimings& timings);

// Seconds that a call waited inside its client; nothing when the trace does not say when it was meant to start.
std::optional<double> queueing_seconds(const event::Span& span, const event::SessionTrace& session);

}  // namespace plimsoll::profile
