// How many uses of a tool run at once, from when its uses began and ended. A pool of k servers that takes uses first come, first
// served starts a use that finds m ≥ k others there when m - k + 1 of them have ended. So every k says how long each use
// was really served, and the k is right under which those that waited look like those that did not.
#pragma once

#include <vector>

#include "forecast/recording.h"

namespace plimsoll::forecast {

struct PoolSize {
    int servers = 0;  // 0: no bound seen
    double probability = 0;
};

struct ToolPoolFit {
    std::vector<PoolSize> sizes;  // all that are not ruled out, the likeliest first; never empty
    int peak = 0;                 // uses at once, the most seen
    int waited = 0;               // uses that waited under the likeliest size
    int uses = 0;
};

// Prior: one half on no bound, the other half on sizes of every order of magnitude up to 10,000 alike (log-uniform).
ToolPoolFit fit_tool_pool(const Recording& recording, int tool);

// Takes the time that uses spent waiting in a pool of `servers` out of the recorded sessions.
void remove_waits(Recording& recording, int tool, int servers);

}  // namespace plimsoll::forecast
