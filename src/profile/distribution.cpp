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
    Histogram histogram{.low = low, .bin_width = 1, .counts = {1}};
    if (high > low) {
        const double rice = std::ceil(2 * std::cbrt(static_cast<double>(values.size())));
        double bins = std::min(rice, static_cast<double>(kMaxHistogramBins));
        histogram.bin_width = (high - low) / bins;
        if (std::ranges::all_of(values, [](double value) { return value == std::floor(value); })) {
            histogram.bin_width = std::ceil((high - low + 1) / bins);
            bins = std::ceil((high - low + 1) / histogram.bin_width);
        }
        histogram.counts.resize(static_cast<std::size_t>(bins));
    }
    std::ranges::fill(histogram.counts, 0);
    for (const double value : values) {
        const auto bin = static_cast<std::size_t>((value - low) / histogram.bin_width);
        ++histogram.counts[std::min(bin, histogram.counts.size() - 1)];
    }
    return histogram;
}

json::value to_json(const Histogram& histogram) {
    return {{"low", histogram.low},
            {"bin_width", histogram.bin_width},
            {"counts", json::array(histogram.counts.begin(), histogram.counts.end())}};
}

}  // namespace plimsoll::profile
