// What a sample says and how sure it is: mean, percentiles and 95 % intervals. Values come in groups that belong together (a session's
// model calls), because values of one group are not independent: intervals draw whole groups.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/json.h"
#include "base/random.h"

namespace plimsoll::forecast {

struct Interval {
    double low = 0, high = 0;
};

struct SampleSummary {
    std::size_t n = 0;  // values
    double mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
    // Nothing with fewer than two groups. That of the p95 is likely to end too low below kMinSamplesForP95 groups, that of the p99 below
    // five times as many: no resample can exceed the largest value.
    std::optional<Interval> mean_interval, p50_interval, p95_interval, p99_interval;
};

// 95 % that so many independent samples hold at least one beyond the true p95: the least n with 1 - 0.95^n >= 0.95.
inline constexpr int kMinSamplesForP95 = 59;

// The mean's interval is Student's t, mean ± t(n-1, 0.975)·s/√n, when every group is one value, else the percentile bootstrap over
// groups (Efron), as for the percentiles always: the 2.5th and 97.5th percentile over kResamples draws of as many groups.
inline constexpr int kResamples = 1000;
SampleSummary summarise_sample(const std::vector<std::vector<double>>& groups, Random random);

// Quantile of Student's t for a two-sided 95 % interval; `degrees` >= 1.
double student_t95(int degrees);

json::value to_json(const std::optional<Interval>& interval);
json::value to_json(const SampleSummary& summary);
// Missing fields read as 0 or nothing.
SampleSummary parse_sample_summary(const json::value& value);

}  // namespace plimsoll::forecast
