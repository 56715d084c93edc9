// Whether the first sessions of a run were slow because something was cold: model loading, empty caches, first connections.
//
// Method: sessions in the order of their start; the second half of them is taken as warm. A session is slow when its runtime
// is above median + 3 × 1.4826 × MAD of the warm half (three robust standard deviations, one in 700 by chance when runtimes
// are normal) and at least 20 % above that median. The cold start is the longest unbroken row of slow sessions from the
// first one on; it never reaches into the warm half. Fewer than 8 sessions are not judged.
#pragma once

#include "profile/run_graph.h"

namespace plimsoll::profile {

inline constexpr std::size_t kMinColdStartSessions = 8;

struct ColdStart {
    bool judged = false;
    std::size_t sessions = 0;  // that started cold
    double warm_median = 0;    // seconds
    double slow_above = 0;     // seconds
    double cold_mean = 0;      // seconds; 0 without a cold start
    double extra_seconds = 0;  // of the cold sessions beyond the warm median, together
};

ColdStart detect_cold_start(const RunGraph& graph);
json::value to_json(const ColdStart& cold);

}  // namespace plimsoll::profile
