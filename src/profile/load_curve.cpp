#include "profile/load_curve.h"

#include <algorithm>

namespace plimsoll::profile {

int usual_spike_level(std::span<const Segment> timeline) {
    constexpr double kUsual = 95;  // percent of the time
    return static_cast<int>(level_percentile(compute_level_seconds(timeline), kUsual)) + 1;
}

LoadCurve make_load_curve(std::span<const Segment> timeline, std::optional<int> threshold) {
    LoadCurve curve;
    if (timeline.empty()) return curve;
    curve.start = timeline.front().start;
    curve.seconds = timeline.back().end - curve.start;
    curve.spike_level = threshold ? *threshold : usual_spike_level(timeline);
    if (curve.seconds <= 0) return curve;
    curve.bins.resize(kMaxLoadBins);
    curve.bin_seconds = curve.seconds / static_cast<double>(kMaxLoadBins);
    const auto bin_of = [&](double time) {
        return std::min(static_cast<std::size_t>(std::max(0.0, (time - curve.start) / curve.bin_seconds)), kMaxLoadBins - 1);
    };
    for (const Segment& segment : timeline) {
        if (segment.level >= curve.spike_level) curve.spike_seconds += segment.end - segment.start;
        const std::size_t last = bin_of(segment.end);
        for (std::size_t i = bin_of(segment.start); i <= last; ++i) {
            const double bin_start = curve.start + static_cast<double>(i) * curve.bin_seconds;
            const double overlap = std::min(segment.end, bin_start + curve.bin_seconds) - std::max(segment.start, bin_start);
            if (overlap <= 0) continue;
            LoadBin& bin = curve.bins[i];
            bin.mean += overlap / curve.bin_seconds * segment.level;
            bin.max = std::max(bin.max, segment.level);
            bin.spike = bin.spike || segment.level >= curve.spike_level;
        }
    }
    return curve;
}

}  // namespace plimsoll::profile
