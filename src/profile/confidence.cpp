#include "profile/confidence.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

constexpr double kZ90 = 1.645;
constexpr double kZ95 = 1.96;
constexpr double kZ99 = 2.576;

void set_intervals(ConfidenceInterval& interval, double standard_error) {
    const auto around = [&](double z) { return Range{interval.mean - z * standard_error, interval.mean + z * standard_error}; };
    interval.ninetieth = around(kZ90);
    interval.ninety_fifth = around(kZ95);
    interval.ninety_ninth = around(kZ99);
}

json::array to_json(const Range& range) { return {range.low, range.high}; }

}  // namespace

Percentiles compute_percentiles(std::vector<double> values) {
    std::ranges::sort(values);
    return {sorted_percentile(values, 90), sorted_percentile(values, 95), sorted_percentile(values, 99)};
}

ConfidenceInterval compute_confidence_interval(std::vector<double> values) {
    ConfidenceInterval interval;
    interval.n = values.size();
    interval.mean = mean(values);
    const double standard_error = values.empty() ? 0 : population_sd(values) / std::sqrt(static_cast<double>(values.size()));
    set_intervals(interval, standard_error);
    interval.percentiles = compute_percentiles(std::move(values));
    return interval;
}

ConfidenceInterval compute_throughput(std::size_t sessions, double first_step, double last_step) {
    if (sessions <= 1 || !(last_step > first_step)) return {};

    ConfidenceInterval interval;
    interval.n = sessions;
    const auto count = static_cast<double>(sessions);
    interval.mean = count / (last_step - first_step);
    set_intervals(interval, interval.mean / std::sqrt(count));
    for (Range* range : {&interval.ninetieth, &interval.ninety_fifth, &interval.ninety_ninth}) range->low = std::max(0.0, range->low);
    return interval;
}

json::object to_json(const Percentiles& percentiles) {
    return {{"p90", percentiles.p90}, {"p95", percentiles.p95}, {"p99", percentiles.p99}};
}

json::object to_json(const ConfidenceInterval& interval) {
    json::object out = {{"n", interval.n},
                        {"mean", interval.mean},
                        {"ninetieth_interval", to_json(interval.ninetieth)},
                        {"ninety_fifth_interval", to_json(interval.ninety_fifth)},
                        {"ninety_ninth_interval", to_json(interval.ninety_ninth)}};
    for (const auto& member : to_json(interval.percentiles)) out.insert(member);
    return out;
}

}  // namespace plimsoll::profile
