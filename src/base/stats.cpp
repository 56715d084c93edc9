#include "base/stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace plimsoll {

double sorted_percentile(std::span<const double> sorted, double p) {
    if (sorted.empty()) return 0;
    const double k = static_cast<double>(sorted.size() - 1) * p / 100;
    const auto low = static_cast<std::size_t>(std::floor(k));
    const auto high = static_cast<std::size_t>(std::ceil(k));
    if (low == high) return sorted[low];
    return sorted[low] + (sorted[high] - sorted[low]) * (k - static_cast<double>(low));
}

double percentile(std::vector<double> values, double p) {
    std::ranges::sort(values);
    return sorted_percentile(values, p);
}

double mean(std::span<const double> values) {
    if (values.empty()) return 0;
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double population_sd(std::span<const double> values) {
    if (values.empty()) return 0;
    const double m = mean(values);
    double sum = 0;
    for (const double value : values) sum += (value - m) * (value - m);
    return std::sqrt(sum / static_cast<double>(values.size()));
}

}  // namespace plimsoll
