// Tokens and times of one session, from its steps.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "event/step.h"

namespace plimsoll::eval {

struct UsageStats {
    std::map<std::string, event::TokenUsage> per_llm;  // by the name of the LLM_END, else its function's, else "unknown"
    std::int64_t total_tokens = 0;
    double min_timestamp = 0;  // seconds since the epoch on the steps' clock; 0 without steps
    double max_timestamp = 0;
    double runtime = 0;               // seconds
    double llm_latency = 0;           // 95th percentile over calls, seconds; 0 without calls
    std::size_t answered_calls = 0;   // of LLMs
    std::vector<Error> failed_calls;  // what each said

    // A workflow may go on without its model; what such a session took says nothing of one that has it.
    bool no_call_worked() const { return answered_calls == 0 && !failed_calls.empty(); }
};
UsageStats compute_usage(std::span<const event::Step> steps);

// Seconds of each answered LLM call in the order of their ENDs, never negative. An END is paired with its START by id; its own
// span_event_timestamp wins. Failed calls and an END of unknown start are left out.
std::vector<double> llm_latencies(std::span<const event::Step> steps);

// Answered LLM calls: LLM_END without an error.
std::vector<const event::Step*> answered_llm_calls(std::span<const event::Step> steps);

// From the earliest to the latest step of all sessions that have steps, in seconds; 0 when none has.
double total_runtime(std::span<const UsageStats> sessions);

}  // namespace plimsoll::eval
