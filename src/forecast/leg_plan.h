// Which concurrency is measured next: a list in a stated order, or chosen from what was measured so far.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace plimsoll::forecast {

struct RunKey {
    int concurrency = 0;
    int repetition = 1;
    auto operator<=>(const RunKey&) const = default;
};

enum class RunOrder : std::uint8_t {
    given,   // every concurrency once, in the list's order, then again: what drifts with time then touches all of them
    random,  // all runs shuffled, so that drift is no trend over the load
};

std::vector<RunKey> order_runs(const std::vector<int>& concurrencies, int repetitions, RunOrder order, std::uint64_t seed);

// A measured concurrency as the search sees it.
struct PlannedLevel {
    int concurrency = 0;
    double throughput = 0;      // sessions per second
    std::optional<bool> keeps;  // the SLO; nothing when there is none
};

struct NextLevel {
    int concurrency = 0;
    std::string why;
};

// A level that carries at most this much more than one of half its concurrency has passed the knee.
inline constexpr double kKneeGain = 1.1;
// Neighbouring levels that differ by no more than this factor are close enough.
inline constexpr double kBracketRatio = 1.25;
inline constexpr std::size_t kMaxAdaptiveLevels = 16;

// The lowest concurrency beyond which no measured one brings more than kKneeGain times its throughput; nothing while that is the highest
// one measured: throughput may still grow.
std::optional<int> find_knee(std::span<const PlannedLevel> measured);

// Doubles from `lowest` until an SLO is missed or, without one, throughput stops growing, but not beyond `highest`; then halves, on a
// logarithmic scale, the gap between the last level that keeps the SLO (or still gains) and the first that does not. Nothing when the
// gap is small enough or kMaxAdaptiveLevels are measured.
std::optional<NextLevel> choose_level(std::span<const PlannedLevel> measured, int lowest, int highest);

}  // namespace plimsoll::forecast
