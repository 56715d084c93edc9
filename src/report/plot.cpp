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
    for (const Series& series : all)
        for (const Point& point : series.points) {
            const double value = point.*axis;
            if (!std::isfinite(value)) continue;
            range = any ? Range{std::min(range.low, value), std::max(range.high, value)} : Range{value, value};
            any = true;
        }
    if (from_zero) range.low = std::min(range.low, 0.0);
    if (range.high <= range.low) range.high = range.low + 1;
    return range;
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
    const double left = corner.x + 62, right = corner.x + width - 16;
    const double top = corner.y + 46, bottom = corner.y + height - 44;
    canvas.text({corner.x + width / 2, corner.y + 20}, title, {.size = 14, .anchor = Anchor::middle, .bold = true});

    constexpr int kTicks = 6;
    const Range x_data = data_range(series, &Point::x, x_from_zero);
    Range y_data = data_range(series, &Point::y, true);
    // Room for the legend above the data, as a share of the height.
    constexpr double kLegendRow = 17, kLegendMargin = 14, kMostOfIt = 0.6;
    const auto labelled = static_cast<double>(std::ranges::count_if(series, [](const Series& one) { return !one.label.empty(); }));
    const double legend = labelled > 0 ? std::min(kMostOfIt, (kLegendMargin + kLegendRow * labelled) / (bottom - top)) : 0;
    y_data.high += legend / (1 - legend) * (y_data.high - y_data.low);
    const std::vector<double> x_ticks = nice_ticks(x_data.low, x_data.high, kTicks);
    const std::vector<double> y_ticks = nice_ticks(y_data.low, y_data.high, kTicks);
    const auto place = [&](Point p) {
        return Point{left + (p.x - x_ticks.front()) / (x_ticks.back() - x_ticks.front()) * (right - left),
                     bottom - (p.y - y_ticks.front()) / (y_ticks.back() - y_ticks.front()) * (bottom - top)};
    };

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
    canvas.text({(left + right) / 2, bottom + 35}, x_title, {.size = 12, .color = kMuted, .anchor = Anchor::middle});
    canvas.text({corner.x + 14, (top + bottom) / 2}, y_title, {.size = 12, .color = kMuted, .anchor = Anchor::middle, .upright = true});

    double legend_y = top + 10;
    for (const Series& one : series) {
        std::vector<Point> placed;
        for (const Point& point : one.points)
            if (std::isfinite(point.x) && std::isfinite(point.y)) placed.push_back(place(point));
        if (one.draw_line) canvas.line(placed, one.color, 2, one.dashed);
        if (one.draw_markers) {
            std::size_t i = 0;
            for (const Point& point : one.points) {
                if (!std::isfinite(point.x) || !std::isfinite(point.y)) continue;
                canvas.marker(placed[i++], one.marker, one.color,
                              fmt::format("{}: {}, {}", one.label, format_short(point.x), format_short(point.y)));
            }
        }
        if (one.label.empty()) continue;
        const std::array sample = {Point{left + 12, legend_y - 4}, Point{left + 36, legend_y - 4}};
        if (one.draw_line) canvas.line(sample, one.color, 2, one.dashed);
        if (one.draw_markers) canvas.marker({left + 24, legend_y - 4}, one.marker, one.color);
        canvas.text({left + 42, legend_y}, one.label, {.size = 11.5});
        legend_y += kLegendRow;
    }
}

}  // namespace plimsoll::report
