#include "profile/concurrency.h"

#include <algorithm>

namespace plimsoll::profile {

std::vector<Segment> compute_timeline(std::span<const Interval> intervals) {
    std::vector<double> starts, ends;
    starts.reserve(intervals.size());
    ends.reserve(intervals.size());
    for (const auto& interval : intervals) {
        starts.push_back(interval.start);
        ends.push_back(interval.end);
    }
    return compute_timeline(std::move(starts), std::move(ends));
}

std::vector<Segment> compute_timeline(std::vector<double> starts, std::vector<double> ends) {
    std::ranges::sort(starts);
    std::ranges::sort(ends);
    std::vector<Segment> timeline;
    int level = 0;
    double last = 0;
    for (std::size_t started = 0, ended = 0; ended < ends.size();) {
        const double now = started < starts.size() ? std::min(starts[started], ends[ended]) : ends[ended];
        if (started > 0 && now > last) timeline.push_back({last, now, level});
        for (; started < starts.size() && starts[started] == now; ++started) ++level;
        for (; ended < ends.size() && ends[ended] == now; ++ended) --level;
        last = now;
    }
    return timeline;
}

int max_level(std::span<const Segment> timeline) {
    int highest = 0;
    for (const auto& segment : timeline) highest = std::max(highest, segment.level);
    return highest;
}

std::map<int, double> compute_level_seconds(std::span<const Segment> timeline) {
    std::map<int, double> seconds;
    for (const auto& segment : timeline) seconds[segment.level] += segment.end - segment.start;
    return seconds;
}

double level_percentile(const std::map<int, double>& seconds, double p) {
    double total = 0;
    for (const auto& [level, time] : seconds) total += time;
    if (total <= 0) return 0;
    double passed = 0;
    for (const auto& [level, time] : seconds) {
        passed += time;
        if (passed >= total * p / 100) return level;
    }
    return seconds.rbegin()->first;
}

int level_at(std::span<const Segment> timeline, double time) {
    const auto after = std::ranges::upper_bound(timeline, time, {}, &Segment::start);
    if (after == timeline.begin()) return 0;
    const Segment& segment = *(after - 1);
    return time < segment.end ? segment.level : 0;
}

}  // namespace plimsoll::profile
