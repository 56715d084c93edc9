// A plot with two linear axes: lines, markers, dashed reference lines, a legend. Used by every chart of a report.
#pragma once

#include <string>
#include <vector>

#include "report/canvas.h"

namespace plimsoll::report {

// An interval around a point, in data units of y.
struct ErrorBar {
    double low = 0, high = 0;
};

struct Series {
    std::string label;  // empty: not in the legend
    Color color = kBlue;
    std::vector<Point> points;         // data units, in drawing order
    std::vector<ErrorBar> error_bars;  // of each point, not finite where it has none; empty: of no point
    std::vector<std::string> notes;    // a word beside each point, drawn where there is room; empty: beside none
    bool draw_line = true;
    bool dashed = false;
    bool draw_markers = true;
    Marker marker = Marker::circle;
};

struct Plot {
    std::string title, x_title, y_title;
    std::vector<Series> series;
    bool x_from_zero = true, y_from_zero = true;
    // Draws into a part of the canvas. Several series with error bars stand a few pixels apart, so that each can be seen.
    void draw(Canvas& canvas, Point corner, double width, double height) const;
};

// Round steps (1, 2 or 5 × 10^k) that cover [low, high] in about `count` ticks; the first is <= low, the last >= high.
std::vector<double> nice_ticks(double low, double high, int count);

// "0.25", "1.5 s" style numbers: three significant digits, no exponent below a million.
std::string format_short(double value);
// "850 µs", "12.3 ms", "1.25 s", "3 min 20 s"
std::string format_duration(double seconds);

}  // namespace plimsoll::report
