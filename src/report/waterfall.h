// Bars over time: NAT's Gantt chart of a run, and the waterfall of one session with parallel calls on lines of their own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "event/step.h"
#include "report/canvas.h"

namespace plimsoll::report {

struct Bar {
    event::Category category = event::Category::function;
    std::string name;
    double start = 0, end = 0;  // seconds, any origin
    int depth = 0;              // in the call tree
    bool failed = false;
    std::optional<double> first_token;  // time of it, same origin
    bool on_path = false;               // of the session's critical path
};

Color color_of(event::Category category);

// `gantt_chart.png` (3000 × 2250 pixels): one bar a call, sorted by start. Beyond kMaxGanttBars, as many as have room for a readable
// label, only the first ones are drawn and the title says so; `later_bars` are those that were not even given.
inline constexpr std::size_t kMaxGanttBars = 150;
inline constexpr const char* kGanttTitle = "Gantt Chart of Nested Calls (All Examples)";
Result<std::string> draw_gantt_png(std::vector<Bar> bars, std::string title = kGanttTitle, std::size_t later_bars = 0);

// The same picture as NAT 1.9.0 makes it, every bar in it: from so many on it is a smear in NAT's, and here it says how many are left out.
inline constexpr std::size_t kMaxNatGanttBars = 50'000;
Result<std::string> draw_nat_gantt_png(std::vector<Bar> bars, std::size_t later_bars = 0);

// One session as inline SVG: bars in tree order, a line a call, indented by depth, the wait for the first token lighter, the
// critical path outlined.
inline constexpr std::size_t kMaxWaterfallBars = 120;
Result<std::string> draw_waterfall_svg(std::vector<Bar> bars);

}  // namespace plimsoll::report
