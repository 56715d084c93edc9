#include "forecast/uncertainty.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

// A model of a server is never better than this, as a standard deviation of log p95: 3 % to either side at 90 %. Chosen so that the
// study's intervals hold what they say (docs/adr/0008-interval-floor.md).
constexpr double kLeastDiscrepancy = 0.018;
// Beyond this an interval says nothing.
constexpr double kMostDiscrepancy = 0.5;
// What each doubling beyond the highest measured concurrency adds.
constexpr double kDiscrepancyPerDoubling = 0.004;
constexpr double kLow = 5, kHigh = 95;  // percentiles of the 90 % interval

double standard_normal(Random& random) {
    return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(6.283185307179586 * random.uniform());
}

}  // namespace

double discrepancy(const FittedModel& model, double users, int replicas) {
    const double measured = static_cast<double>(model.recording().max_concurrency()) / model.limits().front().replicas;
    const double doublings = std::max(0.0, std::log2(users / replicas / measured));
    double held_out = 0, match = 0;
    for (const FormFit& form : model.forms()) {
        held_out += form.weight * form.held_out_rest;
        match += form.weight * form.mismatch();
    }
    const double base = std::sqrt(kLeastDiscrepancy * kLeastDiscrepancy + held_out * held_out + match * match);
    return std::min(kMostDiscrepancy, base + kDiscrepancyPerDoubling * doublings);
}

double Spread::share_up_to(double limit) const {
    const auto below = std::ranges::upper_bound(values, limit) - values.begin();
    return static_cast<double>(below) / static_cast<double>(values.size());
}

Spread spread_draws(double value, std::span<const double> draws, double discrepancy, std::uint64_t seed) {
    // Each draw stands for several, so that the discrepancy's tails are even.
    constexpr int kCopies = 16;
    Random random(seed);
    Spread out;
    for (const double draw : draws)
        for (int i = 0; i < kCopies; ++i) out.values.push_back(draw * std::exp(discrepancy * standard_normal(random)));
    std::ranges::sort(out.values);
    out.interval = {value, std::min(value, sorted_percentile(out.values, kLow)), std::max(value, sorted_percentile(out.values, kHigh))};
    return out;
}

}  // namespace plimsoll::forecast
