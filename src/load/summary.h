// The figures of a load run for people and programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "load/plan.h"
#include "load/sample.h"
#include "load/script.h"
#include "load/stats.h"

namespace plimsoll::load {

// What the run must keep to, so that its figures mean what they say. Negative: not asked for.
struct HonestyLimits {
    double max_schedule_error_s = -1;  // at p99, of starts
    std::int64_t max_dropped = -1;     // starts
    int min_open = -1;                 // calls connected at once, reached at least once
    int min_at_server = -1;            // of them the server must have had nearly all at one of its looks
};

struct Check {
    std::string text;   // "p(95) ttft < 2s"
    std::string value;  // "1.82 s"; empty: nothing was measured
    bool ok = false;
};

// Calls at once that a plan asks for: a closed loop has all its users at work, unless they pause in between or start over time that the
// run may not have. Nothing when it cannot be said.
std::optional<int> asked_at_once(const LoadPlan& plan, const ScriptBook& book);

// Whether the tester itself kept up. Empty limits give no checks, nor do looks at the server that are too few or its calls too short to be
// seen by them. After stats.finish().
std::vector<Check> check_honesty(const HonestyLimits& limits, const LoadStats& stats, const LoadOutcome& outcome,
                                 const ServerSeen& server = {});
std::vector<Check> check_thresholds(const std::vector<Threshold>& thresholds, const LoadStats& stats);

struct SummaryInput {
    const LoadPlan& plan;
    const LoadOutcome& outcome;
    const LoadStats& stats;
    std::string target;  // as a person would name it, without credentials
    ServerSeen server;
    std::vector<Check> honesty, thresholds;
    std::vector<std::string> findings;  // of the diagnosis
};

// "closed loop, 8 users", "open loop, Poisson, 50 a second"
std::string plan_text(const LoadPlan& plan);

std::string summary_text(const SummaryInput& input);
json::value summary_json(const SummaryInput& input);

}  // namespace plimsoll::load
