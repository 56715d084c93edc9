// The NOVA columns: for every step, what is still to come in its function and its session (NAT 1.9.0, compute_llm_metrics).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "profile/trace_view.h"

namespace plimsoll::profile {

// A group is all steps of one session in functions of one name.
struct StepOutlook {
    std::int64_t requests_remaining = -1;       // LLM_STARTs of the group after this step; -1: the group has none at all
    double time_to_next_ms = -1;                // until the next of them; -1: there is none
    double time_to_event_end_ms = -1;           // until the last of them; -1: there is none
    std::optional<std::int64_t> output_tokens;  // on LLM_START: of the last LLM_END with the same UUID
    double time_to_session_end_ms = 0;
};

struct LlmMetrics {
    std::vector<std::vector<StepOutlook>> sessions;  // one a step, in the order of the steps
    bool has_llm_start = false;                      // anywhere in the run
};

// Where output_tokens looks for the LLM_END: in the step's own session, or in all of them (NAT), which differ when two sessions
// share UUIDs.
enum class UuidScope : std::uint8_t { session, run };

LlmMetrics compute_llm_metrics(const TraceView& view, UuidScope scope = UuidScope::session);

}  // namespace plimsoll::profile
