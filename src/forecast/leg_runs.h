// What one run at one concurrency left: a file beside its raw output, so that a sizing can be resumed and runs of the same concurrency
// pooled to one leg.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "forecast/sizing.h"

namespace plimsoll::forecast {

struct SessionSample {
    std::string id;
    double runtime = 0;                    // seconds
    double llm_latency = 0;                // p95 of its calls, seconds; 0 without calls
    std::vector<double> call_latencies;    // seconds
    bool failed = false;                   // then it has no times and no scores
    std::map<std::string, double> scores;  // by evaluator
};

struct RunMeasurement {
    int concurrency = 0;
    int repetition = 1;
    std::vector<SessionSample> sessions;
    double llm_latency_p95 = 0, workflow_runtime_p95 = 0, total_runtime = 0;  // seconds, by NAT's definitions
    std::int64_t prompt_tokens = 0, completion_tokens = 0;
    std::map<std::string, int> better;  // of each evaluator, as in ScoreTrend
    std::vector<std::string> findings;  // what held the run back, as sentences
    bool interrupted = false;
    // A hash of the config, and behind a space all else that the measurement depends on; equal ones can be pooled.
    std::string conditions;
};

json::value to_json(const RunMeasurement& run);
// Errors: parse.
Result<RunMeasurement> parse_run_measurement(const json::value& value);

// Runs of one concurrency as one leg. A single run keeps NAT's numbers; of several, percentiles are taken over all their sessions and
// calls, times and counts are summed.
LegResult pool_runs(std::span<const RunMeasurement> runs);

// By concurrency, in the order of their first run.
std::vector<LegResult> pool_legs(const std::vector<RunMeasurement>& runs);

}  // namespace plimsoll::forecast
