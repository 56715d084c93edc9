// A sample in seven numbers, for every table of the profile.
#pragma once

#include <vector>

#include "base/json.h"

namespace plimsoll::profile {

struct Distribution {
    std::size_t n = 0;
    double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};

// Percentiles as base/stats.h has them. No values: all zero.
Distribution make_distribution(std::vector<double> values);

// Without values: null, so that nobody takes the zeros for a measurement.
json::value to_json(const Distribution& distribution);

// Counts over equal bins from `low`, the last one closed; no bins without values. Their number is 2 ∛n rounded up (the Rice
// rule), so that few values do not make a comb, and kMaxHistogramBins at most; equal values have one bin. Counts of things
// get bins of a whole width, which each hold as many possible values.
struct Histogram {
    double low = 0, bin_width = 0;
    std::vector<std::size_t> counts;
};
inline constexpr std::size_t kMaxHistogramBins = 40;
Histogram make_histogram(const std::vector<double>& values);
json::value to_json(const Histogram& histogram);

}  // namespace plimsoll::profile
