// The NOVA columns: for every step, what is still to come in its function and its session (NAT 1.9.0, compute_llm_metrics).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "event/step.h"

namespace plimsoll::profile {

// A group is all steps of one session in functions of one name.
struct StepOutlook {
    std::int64_t requests_remaining = -1;       // LLM_STARTs of the group after this step; -1: the group has none at all
    double time_to_next_ms = -1;                // until the next of them; -1: there is none
    double time_to_event_end_ms = -1;           // until the last of them; -1: there is none
    std::optional<std::int64_t> output_tokens;  // on LLM_START: of the last LLM_END with the same UUID
    double time_to_session_end_ms = 0;
};

// The completion tokens of the last LLM_END of each UUID: add() steps, sort(), find(). UUIDs are known by 64 bits of a hash.
class CompletionTokens {
  public:
    void add(const std::vector<event::Step>& steps);
    void sort();
    std::optional<std::int64_t> find(std::string_view uuid) const;

  private:
    struct Entry {
        std::size_t uuid;
        std::int64_t tokens;
    };
    static std::size_t hash_of(std::string_view uuid) { return std::hash<std::string_view>()(uuid); }
    std::vector<Entry> entries_;
};

// One a step of a session. Output tokens are looked for in the session itself, or in `of_run` (NAT), which differs when two sessions share
// UUIDs.
std::vector<StepOutlook> compute_outlooks(const std::vector<event::Step>& steps, const CompletionTokens* of_run = nullptr);

}  // namespace plimsoll::profile
