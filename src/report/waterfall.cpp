#include "report/waterfall.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "report/plot.h"

namespace plimsoll::report {
namespace {

struct TimeRange {
    double start = 0, end = 1;
    double seconds() const { return end - start; }
};

TimeRange range_of(std::span<const Bar> bars) {
    TimeRange range{bars.front().start, bars.front().end};
    for (const Bar& bar : bars) range = {std::min(range.start, bar.start), std::max(range.end, bar.end)};
    if (range.end <= range.start) range.end = range.start + 1e-3;
    return range;
}

void draw_legend(Canvas& canvas, Point at) {
    struct Entry {
        Color color;
        std::string_view name;
    };
    constexpr double kSpacing = 110, kSide = 11;
    using enum event::Category;
    for (const Entry& entry : {Entry{color_of(llm), "LLM"}, Entry{color_of(tool), "TOOL"}, Entry{color_of(function), "FUNCTION"},
                               Entry{color_of(span), "other"}, Entry{kRed, "failed"}}) {
        canvas.rectangle({at.x, at.y - kSide + 1}, kSide, kSide, entry.color);
        canvas.text({at.x + kSide + 6, at.y}, entry.name, {.size = 12, .color = kMuted});
        at.x += kSpacing;
    }
}

}  // namespace

Color color_of(event::Category category) {
    switch (category) {
        case event::Category::llm: return kBlue;
        case event::Category::tool: return kGreen;
        case event::Category::function: return kOrange;
        case event::Category::workflow: return kMuted;
        default: return kViolet;
    }
}

Result<std::string> draw_gantt_png(std::vector<Bar> bars, std::string title, std::size_t later_bars) {
    std::ranges::sort(bars, {}, &Bar::start);
    const std::size_t all = bars.size() + later_bars;
    if (bars.size() > kMaxGanttBars) bars.resize(kMaxGanttBars);
    constexpr double kWidth = 1500, kHeight = 1125;
    auto canvas = make_png_canvas(kWidth, kHeight, 2);
    const double left = 250, right = kWidth - 30, top = 68, bottom = kHeight - 60;
    if (bars.size() < all) title += fmt::format(", first {} of {} calls", bars.size(), all);
    canvas->text({kWidth / 2, 34}, title, {.size = 18, .anchor = Anchor::middle, .bold = true});
    if (bars.empty()) return canvas->finish();

    draw_legend(*canvas, {left, 52});
    const TimeRange range = range_of(bars);
    const auto ticks = nice_ticks(0, range.seconds(), 10);
    const auto x_of = [&](double seconds) { return left + seconds / ticks.back() * (right - left); };
    for (const double tick : ticks) {
        const std::array grid = {Point{x_of(tick), top}, Point{x_of(tick), bottom}};
        canvas->line(grid, kGrid, 1);
        canvas->text({x_of(tick), bottom + 20}, format_short(tick), {.size = 12, .color = kMuted, .anchor = Anchor::middle});
    }
    canvas->text({(left + right) / 2, bottom + 44}, "Time (s)", {.size = 14, .anchor = Anchor::middle});

    const double row = std::min(40.0, (bottom - top) / static_cast<double>(bars.size()));
    const double font = std::clamp(row * 0.75, 5.0, 13.0);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const Bar& bar = bars[i];
        const double y = top + row * static_cast<double>(i);
        const double x = x_of(bar.start - range.start);
        const double width = std::max(1.0, x_of(bar.end - range.start) - x);
        canvas->rectangle({x, y + row * 0.2}, width, row * 0.6, bar.failed ? kRed : color_of(bar.category));
        canvas->frame({x, y + row * 0.2}, width, row * 0.6, kInk);
        canvas->text({left - 8, y + row / 2 + font * 0.35}, shorten(fmt::format("{}:{}", event::to_string(bar.category), bar.name), 34),
                     {.size = font, .anchor = Anchor::end});
    }
    return canvas->finish();
}

Result<std::string> draw_waterfall_svg(std::vector<Bar> bars) {
    const std::size_t all = bars.size();
    if (bars.size() > kMaxWaterfallBars) bars.resize(kMaxWaterfallBars);
    constexpr double kRow = 20, kWidth = 1080, kLeft = 300, kTop = 34;
    const double height = kTop + kRow * static_cast<double>(bars.size()) + 30;
    auto canvas = make_svg_canvas(kWidth, height, "Waterfall of one session");
    if (bars.empty()) return canvas->finish();

    const TimeRange range = range_of(bars);
    const double right = kWidth - 70;
    const auto x_of = [&](double time) { return kLeft + (time - range.start) / range.seconds() * (right - kLeft); };
    for (const double tick : nice_ticks(0, range.seconds(), 8)) {
        if (tick > range.seconds()) break;
        const double x = x_of(range.start + tick);
        const std::array grid = {Point{x, kTop - 8}, Point{x, height - 24}};
        canvas->line(grid, kGrid, 1);
        canvas->text({x, kTop - 14}, format_duration(tick), {.size = 11, .color = kMuted, .anchor = Anchor::middle});
    }
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const Bar& bar = bars[i];
        const double y = kTop + kRow * static_cast<double>(i);
        const double x = x_of(bar.start);
        const double width = std::max(1.5, x_of(bar.end) - x);
        const std::string label = fmt::format("{} {}", event::to_string(bar.category), bar.name);
        std::string tooltip =
            fmt::format("{}: {} after {}", label, format_duration(bar.end - bar.start), format_duration(bar.start - range.start));
        if (bar.first_token) tooltip += fmt::format(", first token after {}", format_duration(*bar.first_token - bar.start));
        const Color color = bar.failed ? kRed : color_of(bar.category);
        canvas->rectangle({x, y + 3}, width, kRow - 6, color, tooltip);
        if (bar.first_token)
            canvas->rectangle({x, y + 3}, std::max(0.0, x_of(*bar.first_token) - x), kRow - 6, {255, 255, 255, 0.45}, tooltip);
        if (bar.on_path) canvas->frame({x, y + 3}, width, kRow - 6, kInk);
        const double indent = 10.0 * std::min(bar.depth, 12);
        canvas->text({4 + indent, y + 14}, shorten(label, static_cast<std::size_t>(std::max(12.0, 44 - indent / 7))), {.size = 12});
        canvas->text({x + width + 5, y + 14}, format_duration(bar.end - bar.start) + (bar.failed ? " ✕ failed" : ""),
                     {.size = 10.5, .color = kMuted});
    }
    if (bars.size() < all)
        canvas->text({4, height - 8}, fmt::format("{} more calls not drawn", all - bars.size()), {.size = 11, .color = kMuted});
    return canvas->finish();
}

}  // namespace plimsoll::report
