// NAT 1.9.0's gantt_chart.png as matplotlib draws it (20 × 15 inches at 150 dpi): colours, margins, fonts, axis to the last end.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/plot.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

constexpr double kWidth = 1500, kHeight = 1125, kScale = 2;
constexpr double kPoint = 150.0 / 72 / kScale;  // of a font or a line, in units of the drawing
constexpr double kFont = 10 * kPoint, kTitleFont = 12 * kPoint, kTickLength = 3.5 * kPoint;
constexpr double kGlyph = 0.6;  // mean width of a letter, in font sizes
constexpr Color kBlack{0, 0, 0}, kTabBlue{0x1f, 0x77, 0xb4}, kTabGreen{0x2c, 0xa0, 0x2c}, kTabOrange{0xff, 0x7f, 0x0e},
    kTabGray{0x7f, 0x7f, 0x7f};

Color nat_color(event::Category category) {
    switch (category) {
        case event::Category::llm: return kTabBlue;
        case event::Category::tool: return kTabGreen;
        case event::Category::function: return kTabOrange;
        default: return kTabGray;
    }
}

std::vector<std::string> make_labels(const std::vector<Bar>& bars) {
    constexpr std::size_t kMaxLabel = 60;
    std::vector<std::string> labels;
    labels.reserve(bars.size());
    for (const Bar& bar : bars) labels.push_back(shorten(fmt::format("{}:{}", event::to_string(bar.category), bar.name), kMaxLabel));
    return labels;
}

struct Area {
    double left, right, top, bottom;
};

void draw_time_axis(Canvas& canvas, const Area& area, double seconds) {
    const auto ticks = nice_ticks(0, seconds, 9);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : 1;
    const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
    for (const double tick : ticks) {
        if (tick > seconds) break;
        const double x = area.left + tick / seconds * (area.right - area.left);
        canvas.line(std::array{Point{x, area.bottom}, Point{x, area.bottom + kTickLength}}, kBlack, 0.8 * kPoint);
        canvas.text({x, area.bottom + kTickLength + 1.3 * kFont}, fmt::format("{:.{}f}", tick, decimals),
                    {.size = kFont, .color = kBlack, .anchor = Anchor::middle});
    }
    canvas.text({(area.left + area.right) / 2, area.bottom + kTickLength + 2.7 * kFont}, "Time",
                {.size = kFont, .color = kBlack, .anchor = Anchor::middle});
}

}  // namespace

Result<std::string> draw_nat_gantt_png(std::vector<Bar> bars, std::size_t later_bars) {
    auto canvas = make_png_canvas(kWidth, kHeight, kScale);
    if (bars.empty()) return canvas->finish();
    double first = bars.front().start, last = bars.front().end;
    for (const Bar& bar : bars) first = std::min(first, bar.start), last = std::max(last, bar.end);
    std::ranges::stable_sort(bars, {}, &Bar::start);
    const std::size_t all = bars.size() + later_bars;
    if (bars.size() > kMaxNatGanttBars) bars.resize(kMaxNatGanttBars);

    const auto labels = make_labels(bars);
    const double widest = static_cast<double>(std::ranges::max_element(labels, {}, &std::string::size)->size());
    constexpr double kMargin = 12;
    const Area area{.left = kMargin + std::min(kGlyph * kFont * widest + 2 * kTickLength, kWidth / 2),
                    .right = kWidth - kMargin,
                    .top = kMargin + 1.5 * kTitleFont,
                    .bottom = kHeight - kMargin - 3.5 * kFont};
    std::string title = kGanttTitle;
    if (bars.size() < all) title += fmt::format(", first {} of {} calls", bars.size(), all);
    canvas->text({(area.left + area.right) / 2, area.top - 0.5 * kTitleFont}, title,
                 {.size = kTitleFont, .color = kBlack, .anchor = Anchor::middle});

    // Bars are 0.6 rows high; a twentieth of their range stays free above and below.
    const auto rows = static_cast<double>(bars.size());
    const double free_rows = 0.05 * (rows - 1 + 0.6), first_row = -0.3 - free_rows, row_count = rows - 1 + 0.6 + 2 * free_rows;
    const double row = (area.bottom - area.top) / row_count;
    const double seconds = last > first ? last - first : 1;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const Bar& bar = bars[i];
        const double middle = area.top + (static_cast<double>(i) - first_row) * row;
        const double x = area.left + (bar.start - first) / seconds * (area.right - area.left);
        const double width = (bar.end - bar.start) / seconds * (area.right - area.left);
        canvas->rectangle({x, middle - 0.3 * row}, width, 0.6 * row, nat_color(bar.category));
        canvas->frame({x, middle - 0.3 * row}, width, 0.6 * row, kBlack);
        canvas->line(std::array{Point{area.left - kTickLength, middle}, Point{area.left, middle}}, kBlack, 0.8 * kPoint);
        canvas->text({area.left - 2 * kTickLength, middle + 0.35 * kFont}, labels[i],
                     {.size = kFont, .color = kBlack, .anchor = Anchor::end});
    }
    canvas->frame({area.left, area.top}, area.right - area.left, area.bottom - area.top, kBlack);
    draw_time_axis(*canvas, area, seconds);
    return canvas->finish();
}

}  // namespace plimsoll::report
