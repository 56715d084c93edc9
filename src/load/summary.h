// The figures of a load run for people and programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "load/plan.h"
#include "load/stats.h"

namespace plimsoll::load {

// What the run must keep to, so that its figures mean what they say. Negative: not asked for.
struct HonestyLimits {
    double max_schedule_error_s = -1;  // at p99, of starts
    std::int64_t max_dropped = -1;     // starts
    int min_open = -1;                 // calls in flight at once, reached at least once
};

struct Check {
    std::string text;   // "p(95) ttft < 2s"
    std::string value;  // "1.82 s"; empty: nothing was measured
    bool ok = false;
};

// Whether the tester itself kept up. Empty limits give no checks.
std::vector<Check> check_honesty(const HonestyLimits& limits, const LoadStats& stats, const LoadOutcome& outcome);
std::vector<Check> check_thresholds(const std::vector<Threshold>& thresholds, const LoadStats& stats);

struct SummaryInput {
    const LoadPlan& plan;
    const LoadOutcome& outcome;
    const LoadStats& stats;
    std::string target;                 // as a person would name it, without credentials
    std::optional<double> server_peak;  // requests that the server said it had at once, at its highest look
    std::vector<Check> honesty, thresholds;
    std::vector<std::string> findings;  // of the diagnosis
};

// "closed loop, 8 users", "open loop, Poisson, 50 a second"
std::string plan_text(const LoadPlan& plan);

std::string summary_text(const SummaryInput& input);
json::value summary_json(const SummaryInput& input);

}  // namespace plimsoll::load
