#include "profile/concurrency.h"

#include <algorithm>

namespace plimsoll::profile {

std::vector<Segment> compute_timeline(std::span<const Interval> intervals) {
    struct Change {
        double time;
        int by;
    };
    std::vector<Change> changes;
    changes.reserve(2 * intervals.size());
    for (const auto& interval : intervals) {
        changes.push_back({interval.start, 1});
        changes.push_back({interval.end, -1});
    }
    std::ranges::sort(changes, {}, &Change::time);

    std::vector<Segment> timeline;
    int level = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (i > 0 && changes[i].time > changes[i - 1].time) timeline.push_back({changes[i - 1].time, changes[i].time, level});
        level += changes[i].by;
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
