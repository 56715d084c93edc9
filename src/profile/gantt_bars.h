// What a Gantt chart of a run is drawn from.
#pragma once

#include <string>
#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

struct GanttBar {
    std::string uuid;
    event::Category category = event::Category::custom;
    std::string name;
    double start = 0, end = 0;  // seconds since the epoch
    std::size_t session = 0;    // index in the run
    int depth = 0;              // in the session's call tree
    bool failed = false;
};

struct GanttBars {
    std::vector<GanttBar> list;  // sessions in order, each in preorder
    std::size_t left_out = 0;    // start later than all of them
};

// As many as a chart may want; NAT's wants all.
inline constexpr std::size_t kMaxBars = 1000, kMaxNatBars = 50'000;

// The `max_bars` calls that start first, of those that `keep` takes.
GanttBars find_earliest_bars(const RunGraph& graph, bool (*keep)(event::Category), std::size_t max_bars);

}  // namespace plimsoll::profile
