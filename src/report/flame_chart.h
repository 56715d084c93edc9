// Boxes in rows: the merged flame graph, a session's calls in lanes, and a prefix tree are all drawn by it.
#pragma once

#include <string>
#include <vector>

#include "profile/chosen_sessions.h"
#include "profile/flame_graph.h"
#include "report/canvas.h"

namespace plimsoll::report {

struct FlameBox {
    double from = 0, to = 0;  // share of the picture's width, 0..1
    std::size_t row = 0;
    Color color = kBlue;
    std::string label, tooltip;
    bool outlined = false;  // on the critical path
};

struct FlameChart {
    std::string title;    // for screen readers
    double seconds = 0;   // of the whole width; 0: no time axis
    std::string x_title;  // of the time axis
    std::vector<FlameBox> boxes;
};

// Narrower boxes than a pixel, and those beyond the widest kMaxFlameBoxes or below kMaxFlameRows, are not drawn; the picture
// says how many.
inline constexpr std::size_t kMaxFlameBoxes = 2000;
inline constexpr std::size_t kMaxFlameRows = 48;
std::string draw_flame_svg(FlameChart chart);

// A node's width is its share of all work, its children lie under it.
FlameChart make_flame_chart(const profile::FlameGraph& graph);

// Time from left to right; a call lies below its caller, beside or under what runs at the same time.
FlameChart make_session_chart(const profile::ChosenSession& session);

}  // namespace plimsoll::report
