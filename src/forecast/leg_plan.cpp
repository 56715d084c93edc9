#include "forecast/leg_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace plimsoll::forecast {
namespace {

// Whether each level is still good: it keeps the SLO, or gains over the one below. Levels rise in concurrency.
std::vector<bool> judge(const std::vector<PlannedLevel>& levels) {
    std::vector<bool> good;
    const PlannedLevel* below = nullptr;
    for (const PlannedLevel& level : levels) {
        if (level.keeps) {
            good.push_back(*level.keeps);
        } else if (!below) {
            good.push_back(true);
        } else {
            // Between neighbours closer than a factor of two, as much gain is asked for as fits into their distance.
            const double doublings = std::log2(static_cast<double>(level.concurrency) / below->concurrency);
            good.push_back(level.throughput > below->throughput * std::pow(kKneeGain, doublings));
        }
        below = &level;
    }
    return good;
}

}  // namespace

std::vector<RunKey> order_runs(const std::vector<int>& concurrencies, int repetitions, RunOrder order, std::uint64_t seed) {
    std::vector<RunKey> runs;
    for (int repetition = 1; repetition <= repetitions; ++repetition)
        for (const int concurrency : concurrencies) runs.push_back({concurrency, repetition});
    if (order == RunOrder::given) return runs;
    // Fisher and Yates; std::shuffle differs between standard libraries.
    Random random(seed);
    for (std::size_t left = runs.size(); left > 1; --left) std::swap(runs[left - 1], runs[random() % left]);
    return runs;
}

std::optional<int> find_knee(std::span<const PlannedLevel> measured) {
    if (measured.empty()) return std::nullopt;
    const double most = std::ranges::max(measured, {}, &PlannedLevel::throughput).throughput;
    const int highest = std::ranges::max(measured, {}, &PlannedLevel::concurrency).concurrency;
    int knee = highest;
    for (const PlannedLevel& level : measured)
        if (level.throughput > 0 && level.throughput * kKneeGain >= most) knee = std::min(knee, level.concurrency);
    if (knee == highest) return std::nullopt;
    return knee;
}

std::optional<NextLevel> choose_level(std::span<const PlannedLevel> measured, int lowest, int highest) {
    if (measured.empty()) return NextLevel{lowest, "the lowest"};
    if (measured.size() >= kMaxAdaptiveLevels) return std::nullopt;
    std::vector<PlannedLevel> levels(measured.begin(), measured.end());
    std::ranges::sort(levels, {}, &PlannedLevel::concurrency);
    const bool has_slo = levels.front().keeps.has_value();
    const auto good = judge(levels);
    const auto first_bad = std::ranges::find(good, false) - good.begin();
    if (first_bad == std::ssize(good)) {
        const int top = levels.back().concurrency;
        if (top >= highest) return std::nullopt;
        return NextLevel{static_cast<int>(std::min<std::int64_t>(highest, std::int64_t{top} * 2)),
                         has_slo ? fmt::format("{} keeps the SLO", top) : fmt::format("throughput still grew at {}", top)};
    }
    if (first_bad == 0) return std::nullopt;
    const int low = levels[static_cast<std::size_t>(first_bad) - 1].concurrency;
    const int high = levels[static_cast<std::size_t>(first_bad)].concurrency;
    if (high - low <= 1 || high <= low * kBracketRatio) return std::nullopt;
    const int middle = std::clamp(static_cast<int>(std::lround(std::sqrt(static_cast<double>(low) * high))), low + 1, high - 1);
    return NextLevel{middle, fmt::format("{} between {} and {}", has_slo ? "the SLO breaks" : "the knee lies", low, high)};
}

}  // namespace plimsoll::forecast
