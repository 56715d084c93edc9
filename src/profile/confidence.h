// Percentiles and NAT's confidence intervals (NAT 1.9.0, inference optimisation).
#pragma once

#include <optional>
#include <vector>

#include "base/json.h"

namespace plimsoll::profile {

struct Percentiles {
    double p90 = 0, p95 = 0, p99 = 0;
};

struct Range {
    double low = 0, high = 0;
};

struct ConfidenceInterval {
    std::size_t n = 0;
    double mean = 0;
    Range ninetieth, ninety_fifth, ninety_ninth;
    Percentiles percentiles;
};

Percentiles compute_percentiles(std::vector<double> values);

// mean ± z·sd/√n with the normal z (1.645, 1.96, 2.576) and the population sd; not clamped at 0. No values: all zero.
// The interval is too narrow for small n, where Student's t belongs; it is kept because it is NAT's definition.
ConfidenceInterval compute_confidence_interval(std::vector<double> values);

// Sessions (those without steps too) per second between the first and the last step of the run. The interval takes
// rate/√sessions for the standard error and is clamped at 0. One session or no time between the steps: all zero.
ConfidenceInterval compute_throughput(std::size_t sessions, double first_step, double last_step);

json::object to_json(const Percentiles& percentiles);
json::object to_json(const ConfidenceInterval& interval);

}  // namespace plimsoll::profile
