// Made traces of known structure for benchmarks: the same seed and number give the same steps.
#pragma once

#include <functional>
#include <vector>

#include "event/trace.h"

namespace plimsoll::profile {

// Research sessions of 20 steps: the workflow, its function, an LLM call that plans, four searches at once, and three LLM calls
// that write, reflect and finish. Sixteen users run one session after the other.
void for_each_research_trace(std::size_t sessions, std::uint64_t seed, const std::function<void(const event::SessionTrace&)>& use);
std::vector<event::SessionTrace> make_research_traces(std::size_t sessions, std::uint64_t seed = 7);

}  // namespace plimsoll::profile
