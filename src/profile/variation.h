// How much sessions differ from each other, and which step makes the difference.
//
//   coefficient of variation = population standard deviation / mean
//   share of step s in the variance of the runtime R = Cov(S, R) / Var(R), where S is the time of s on the critical path
//
// The times on a critical path add up to the runtime, so the shares of all steps (and of the time outside any call) add up to
// 1; a step that is short when others are long has a negative one.
#pragma once

#include <vector>

#include "profile/critical_path.h"

namespace plimsoll::profile {

struct Spread {
    double mean = 0, sd = 0;
    double cv() const { return mean > 0 ? sd / mean : 0; }
};

struct StepVariance {
    StepName step;
    double share = 0;
    double path_cv = 0;  // of its time on the critical path, sessions without it count as 0
};

struct Variation {
    std::size_t sessions = 0;
    Spread runtime;  // seconds
    Spread tokens;   // prompt and completion tokens of a session
    Spread llm_calls, calls;
    std::vector<StepVariance> steps;  // largest share first; empty when all sessions took the same time
};

Variation compute_variation(const RunGraph& graph, const CriticalPaths& paths);
json::value to_json(const Variation& variation);

}  // namespace plimsoll::profile
