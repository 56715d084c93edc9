// How much faster sessions would be if a step took less time: every session replayed with that step's own time scaled.
//
// In a call, a child that started after siblings ended depends on all of them (a join); the time from the last of their ends
// (else the caller's start) to its own start is the caller's own work. Parallel siblings do not wait for each other. The
// caller ends its own remaining time after the last child that it outlived. A replay keeps these dependencies and multiplies
// the own time of the step's calls by the factor; with factor 1 it gives the recorded times. What it cannot know: a model
// server shared by sessions also gets faster for the others when its load falls, and two parallel chains that happened to
// alternate look like joins. So the gain is a careful one.
#pragma once

#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

struct WhatIfRow {
    StepName step;                      // function empty: wherever it ran
    double factor = 0;                  // of its own time: 0 = free, 0.5 = twice as fast
    double p50 = 0, p95 = 0;            // seconds of the session, replayed
    double gain_p50 = 0, gain_p95 = 0;  // share of the recorded percentile that is saved; 0..1
};

struct WhatIf {
    std::size_t sessions = 0;
    double p50 = 0, p95 = 0;      // seconds of the session, recorded
    std::vector<WhatIfRow> rows;  // largest gain at p95 first
    std::size_t steps_left_out = 0;
};

// A replay visits every call, so only the steps with most own time are tried; the others count in steps_left_out.
inline constexpr std::size_t kMaxWhatIfSteps = 40;
inline constexpr double kWhatIfFactors[] = {0, 0.5};

WhatIf compute_what_if(const RunGraph& graph);
json::value to_json(const WhatIf& what_if);

// Seconds of each session with the own time of the calls that `scaled` marks multiplied by `factor`. One mark a step of the graph.
std::vector<double> replay_sessions(const RunGraph& graph, const std::vector<bool>& scaled, double factor);

}  // namespace plimsoll::profile
