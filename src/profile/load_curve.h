// Concurrency over time in as many pieces as a picture can show, with the moments of too much marked.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "profile/concurrency.h"

namespace plimsoll::profile {

struct LoadBin {
    double mean = 0;  // level over the bin's time
    int max = 0;
    bool spike = false;  // at some moment in it the level was at least spike_level
};

struct LoadCurve {
    double start = 0, bin_seconds = 0;
    std::vector<LoadBin> bins;  // kMaxLoadBins at most; empty when no time passed
    int spike_level = 0;
    double spike_seconds = 0;  // at or above spike_level
    double seconds = 0;
};
inline constexpr std::size_t kMaxLoadBins = 500;

// The level above that of 95 % of the time.
int usual_spike_level(std::span<const Segment> timeline);

// `threshold` is the level from which a spike counts; without one it is the usual_spike_level().
LoadCurve make_load_curve(std::span<const Segment> timeline, std::optional<int> threshold);

}  // namespace plimsoll::profile
