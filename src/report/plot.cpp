#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace plimsoll::report {
namespace {

struct Range {
    double low = 0, high = 1;
};

Range data_range(const std::vector<Series>& all, double Point::* axis, bool from_zero) {
    bool any = false;
    Range range;
    const auto take = [&](double value) {
        if (!std::isfinite(value)) return;
        range = any ? Range{std::min(range.low, value), std::max(range.high, value)} : Range{value, value};
        any = true;
    };
    for (const Series& series : all) {
        for (const Point& point : series.points) take(point.*axis);
        if (axis == &Point::x) continue;
        for (const ErrorBar& bar : series.error_bars) {
            take(bar.low);
            take(bar.high);
        }
    }
    if (from_zero) range.low = std::min(range.low, 0.0);
    if (range.high <= range.low) range.high = range.low + 1;
    return range;
}

// Labels in rows from the left, as many in a row as fit.
struct Legend {
    struct Entry {
        const Series* series;
        double x;
        std::size_t row;
    };
    static constexpr double kRow = 17, kSample = 42;
    std::vector<Entry> entries;
    std::size_t rows = 0;

    Legend(const std::vector<Series>& all, double width) {
        constexpr double kLetter = 6.8, kGap = 14;  // a letter is at most so wide as a rule
        double x = 0;
        for (const Series& one : all) {
            if (one.label.empty()) continue;
            const double needed = kSample + kLetter * static_cast<double>(one.label.size()) + kGap;
            if (rows == 0 || (x > 0 && x + needed > width)) {
                ++rows;
                x = 0;
            }
            entries.push_back({&one, x, rows - 1});
            x += needed;
        }
    }

    void draw(Canvas& canvas, Point corner) const {
        for (const auto& [series, x, row] : entries) {
            const Point at = {corner.x + x, corner.y + kRow * static_cast<double>(row)};
            const std::array sample = {Point{at.x + 12, at.y - 4}, Point{at.x + 36, at.y - 4}};
            if (series->draw_line) canvas.line(sample, series->color, 2, series->dashed);
            if (series->draw_markers) canvas.marker({at.x + 24, at.y - 4}, series->marker, series->color);
            canvas.text({at.x + kSample, at.y}, series->label, {.size = 11.5});
        }
    }
};

// From data to pixels.
struct Axes {
    std::vector<double> x_ticks, y_ticks;
    double left = 0, right = 0, top = 0, bottom = 0;

    Point place(Point p) const {
        return {left + (p.x - x_ticks.front()) / (x_ticks.back() - x_ticks.front()) * (right - left),
                bottom - (p.y - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * (bottom - top)};
    }

    void draw(Canvas& canvas) const {
        for (const double tick : y_ticks) {
            const double y = place({x_ticks.front(), tick}).y;
            const std::array grid = {Point{left, y}, Point{right, y}};
            canvas.line(grid, kGrid, 1);
            canvas.text({left - 8, y + 4}, format_short(tick), {.size = 11, .color = kMuted, .anchor = Anchor::end});
        }
        for (const double tick : x_ticks) {
            const double x = place({tick, y_ticks.front()}).x;
            canvas.text({x, bottom + 17}, format_short(tick), {.size = 11, .color = kMuted, .anchor = Anchor::middle});
        }
        const std::array axis = {Point{left, bottom}, Point{right, bottom}};
        canvas.line(axis, kMuted, 1);
    }
};

bool is_drawable(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

void draw_error_bar(Canvas& canvas, const Axes& axes, const ErrorBar& bar, Point at, double shift, Color color) {
    if (!std::isfinite(bar.low) || !std::isfinite(bar.high)) return;
    constexpr double kCap = 3;
    const Point low = axes.place({at.x, bar.low}), high = axes.place({at.x, bar.high});
    const double x = low.x + shift;
    for (const auto& [from, to] : {std::pair(Point{x, low.y}, Point{x, high.y}), std::pair(Point{x - kCap, low.y}, Point{x + kCap, low.y}),
                                   std::pair(Point{x - kCap, high.y}, Point{x + kCap, high.y})}) {
        const std::array ends = {from, to};
        canvas.line(ends, color, 1);
    }
}

std::string tooltip_of(const Series& series, std::size_t i) {
    std::string text = fmt::format("{}: {}, {}", series.label, format_short(series.points[i].x), format_short(series.points[i].y));
    if (i < series.notes.size()) text = fmt::format("{} {}", series.notes[i], text);
    if (i < series.error_bars.size() && std::isfinite(series.error_bars[i].low))
        text += fmt::format(" ({} to {})", format_short(series.error_bars[i].low), format_short(series.error_bars[i].high));
    return text;
}

void draw_series(Canvas& canvas, const Axes& axes, const Series& series, double shift) {
    std::vector<Point> placed;
    for (std::size_t i = 0; i < series.points.size(); ++i) {
        if (!is_drawable(series.points[i])) continue;
        const Point at = axes.place(series.points[i]);
        placed.push_back({at.x + shift, at.y});
        if (i < series.error_bars.size()) draw_error_bar(canvas, axes, series.error_bars[i], series.points[i], shift, series.color);
    }
    if (series.draw_line) canvas.line(placed, series.color, 2, series.dashed);
    if (!series.draw_markers) return;
    std::size_t drawn = 0;
    for (std::size_t i = 0; i < series.points.size(); ++i)
        if (is_drawable(series.points[i])) canvas.marker(placed[drawn++], series.marker, series.color, tooltip_of(series, i));
}

// Notes stand at the right of their points, or at the left near the edge; one that would cover a point or another note is left out.
void draw_notes(Canvas& canvas, const Axes& axes, const std::vector<Series>& all) {
    constexpr double kLetter = 6.5, kHeight = 12, kGap = 7, kMarker = 4;
    struct Box {
        double left, right, y;
        bool covers(const Box& other) const { return left < other.right && other.left < right && std::abs(y - other.y) < kHeight; }
    };
    if (std::ranges::all_of(all, [](const Series& one) { return one.notes.empty(); })) return;
    std::vector<Box> taken;
    for (const Series& series : all)
        for (const Point& point : series.points)
            if (series.draw_markers && is_drawable(point)) {
                const Point at = axes.place(point);
                taken.push_back({at.x - kMarker, at.x + kMarker, at.y});
            }
    for (const Series& series : all)
        for (std::size_t i = 0; i < std::min(series.notes.size(), series.points.size()); ++i) {
            if (!is_drawable(series.points[i])) continue;
            const Point at = axes.place(series.points[i]);
            const double width = kLetter * static_cast<double>(series.notes[i].size());
            const bool fits = at.x + kGap + width <= axes.right;
            const Box box = fits ? Box{at.x + kGap, at.x + kGap + width, at.y} : Box{at.x - kGap - width, at.x - kGap, at.y};
            if (std::ranges::any_of(taken, [&](const Box& other) { return box.covers(other); })) continue;
            taken.push_back(box);
            canvas.text({fits ? box.left : box.right, at.y + 4}, series.notes[i],
                        {.size = 11, .color = kMuted, .anchor = fits ? Anchor::start : Anchor::end});
        }
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
    const double raw = (high - low) / std::max(1, count);
    const double power = std::pow(10, std::floor(std::log10(raw)));
    const double fraction = raw / power;
    const double step = power * (fraction <= 1 ? 1 : fraction <= 2 ? 2 : fraction <= 5 ? 5 : 10);
    std::vector<double> ticks;
    const double first = std::floor(low / step + 1e-9);
    const double last = std::ceil(high / step - 1e-9);
    for (double i = first; i <= last; ++i) ticks.push_back(i * step);
    return ticks;
}

std::string format_short(double value) {
    if (value == 0) return "0";
    if (std::abs(value) >= 1e6) return fmt::format("{:.3g}", value);
    const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(std::abs(value)))), 0, 6);
    std::string text = fmt::format("{:.{}f}", value, digits);
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.') text.pop_back();
    }
    return text;
}

std::string format_duration(double seconds) {
    if (seconds == 0) return "0 s";
    if (seconds >= 120) return fmt::format("{:.0f} min {:.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
    if (seconds >= 1) return format_short(seconds) + " s";
    if (seconds >= 1e-3) return format_short(seconds * 1e3) + " ms";
    return format_short(seconds * 1e6) + " µs";
}

void Plot::draw(Canvas& canvas, Point corner, double width, double height) const {
    Axes axes{.x_ticks = {}, .y_ticks = {}, .left = corner.x + 62, .right = corner.x + width - 16, .top = corner.y + 46};
    axes.bottom = corner.y + height - 44;
    canvas.text({corner.x + width / 2, corner.y + 20}, title, {.size = 14, .anchor = Anchor::middle, .bold = true});

    constexpr int kTicks = 6;
    const Range x_data = data_range(series, &Point::x, x_from_zero);
    Range y_data = data_range(series, &Point::y, y_from_zero);
    // Room for the legend above the data, as a share of the height.
    constexpr double kMargin = 14, kMostOfIt = 0.6;
    const Legend legend(series, axes.right - axes.left);
    const double room = legend.rows > 0 ? (kMargin + Legend::kRow * static_cast<double>(legend.rows)) / (axes.bottom - axes.top) : 0;
    const double share = std::min(kMostOfIt, room);
    y_data.high += share / (1 - share) * (y_data.high - y_data.low);
    axes.x_ticks = nice_ticks(x_data.low, x_data.high, kTicks);
    axes.y_ticks = nice_ticks(y_data.low, y_data.high, kTicks);
    axes.draw(canvas);
    canvas.text({(axes.left + axes.right) / 2, axes.bottom + 35}, x_title, {.size = 12, .color = kMuted, .anchor = Anchor::middle});
    canvas.text({corner.x + 14, (axes.top + axes.bottom) / 2}, y_title,
                {.size = 12, .color = kMuted, .anchor = Anchor::middle, .upright = true});

    constexpr double kApart = 5;  // pixels between series with error bars
    const auto barred = static_cast<double>(std::ranges::count_if(series, [](const Series& one) { return !one.error_bars.empty(); }));
    double shift = -kApart * (barred - 1) / 2;
    for (const Series& one : series) {
        draw_series(canvas, axes, one, one.error_bars.empty() ? 0 : shift);
        if (!one.error_bars.empty()) shift += kApart;
    }
    draw_notes(canvas, axes, series);
    legend.draw(canvas, {axes.left, axes.top + 10});
}

}  // namespace plimsoll::report
