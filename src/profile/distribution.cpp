#include "profile/distribution.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::profile {

Distribution make_distribution(std::vector<double> values) {
    if (values.empty()) return {};
    std::ranges::sort(values);
    return {.n = values.size(),
            .mean = mean(values),
            .p50 = sorted_percentile(values, 50),
            .p90 = sorted_percentile(values, 90),
            .p95 = sorted_percentile(values, 95),
            .p99 = sorted_percentile(values, 99),
            .max = values.back()};
}

json::value to_json(const Distribution& distribution) {
    if (distribution.n == 0) return nullptr;
    return {{"n", distribution.n},     {"mean", distribution.mean}, {"p50", distribution.p50}, {"p90", distribution.p90},
            {"p95", distribution.p95}, {"p99", distribution.p99},   {"max", distribution.max}};
}

Histogram make_histogram(const std::vector<double>& values) {
    if (values.empty()) return {};
    const auto [low, high] = std::ranges::minmax(values);
    const auto rice = static_cast<std::size_t>(std::ceil(2 * std::cbrt(static_cast<double>(values.size()))));
    const std::size_t bins = high > low ? std::min(rice, kMaxHistogramBins) : 1;
    Histogram histogram{.low = low, .bin_width = high > low ? (high - low) / static_cast<double>(bins) : 1, .counts = {}};
    histogram.counts.resize(bins);
    for (const double value : values) {
        const auto bin = static_cast<std::size_t>((value - low) / histogram.bin_width);
        ++histogram.counts[std::min(bin, bins - 1)];
    }
    return histogram;
}

json::value to_json(const Histogram& histogram) {
    return {{"low", histogram.low},
            {"bin_width", histogram.bin_width},
            {"counts", json::array(histogram.counts.begin(), histogram.counts.end())}};
}

}  // namespace plimsoll::profile
