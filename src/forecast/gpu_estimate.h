// From a line, or from one measured leg, to a number of GPUs (NAT 1.9.0, sizing). Both assume that n times the GPUs carry n
// times the sessions. Numbers are real: rounding up is the reader's.
#pragma once

#include <optional>

#include "base/error.h"
#include "forecast/limits.h"
#include "forecast/linear_fit.h"

namespace plimsoll::forecast {

struct GpuEstimate {
    double gpus = 0;
    double sessions_at_target = 0;  // in flight on the test GPUs when the p95 reaches the target
    // The latency did not rise over the measured range, so the test GPUs carry at least sessions_at_target (the highest
    // concurrency measured) and `gpus` is an upper bound.
    bool capacity_not_reached = false;
};

struct TestedLoad {
    int users = 0;
    int gpus = 0;  // of the test
};

// (target - intercept) / slope sessions fit on the test GPUs. `highest` is the highest concurrency measured.
// Errors: limit when no number of GPUs meets the target (it is not above the intercept, or the line falls).
Result<GpuEstimate> estimate_gpus(const LinearFit& fit, double target_seconds, TestedLoad load, int highest);

// users / concurrency × observed / target × gpus; nothing without a target.
std::optional<double> rough_gpus(double observed_seconds, double target_seconds, int concurrency, TestedLoad load);

// GPUs behind so many replicas of each of `models`; nothing while somebody has not said how many one takes.
std::optional<std::int64_t> gpus_of_replicas(int replicas, const std::vector<std::string>& models, const Limits& limits);

}  // namespace plimsoll::forecast
