// How many intervals are open at each moment, and how long each level lasts.
#pragma once

#include <map>
#include <span>
#include <vector>

namespace plimsoll::profile {

struct Interval {
    double start = 0, end = 0;  // half open; end >= start
    double midpoint() const { return (start + end) / 2; }
};

struct Segment {
    double start = 0, end = 0;
    int level = 0;
};

// From the first start to the last end without gaps: a segment ends where an interval starts or ends, and idle time has
// level 0. An interval that ends where another starts does not overlap it. n log n.
std::vector<Segment> compute_timeline(std::span<const Interval> intervals);
std::vector<Segment> compute_timeline(std::vector<double> starts, std::vector<double> ends);

int max_level(std::span<const Segment> timeline);  // empty: 0

// Seconds spent at each level.
std::map<int, double> compute_level_seconds(std::span<const Segment> timeline);

// The lowest level at or below which p percent of the time is spent; 0 without time.
double level_percentile(const std::map<int, double>& seconds, double p);

// 0 outside the timeline.
int level_at(std::span<const Segment> timeline, double time);

}  // namespace plimsoll::profile
