#include "report/histogram_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/canvas.h"
#include "report/plot.h"

namespace plimsoll::report {

std::string draw_histogram_svg(const profile::Histogram& histogram, const std::string& title, const std::string& unit) {
    if (histogram.counts.empty()) return "";
    constexpr double kWidth = 540, kHeight = 300, kLeft = 62, kRight = kWidth - 16, kTop = 40, kBottom = kHeight - 46;
    auto canvas = make_svg_canvas(kWidth, kHeight, title);
    canvas->text({kWidth / 2, 20}, title, {.size = 14, .anchor = Anchor::middle, .bold = true});
    const double bins = static_cast<double>(histogram.counts.size());
    // A single bin stands in the middle of some room.
    const double padding = histogram.counts.size() == 1 ? histogram.bin_width : 0;
    const double low = histogram.low - padding;
    const double high = histogram.low + bins * histogram.bin_width + padding;
    const double most = static_cast<double>(*std::ranges::max_element(histogram.counts));
    const auto y_ticks = nice_ticks(0, most, most < 5 ? static_cast<int>(most) : 5);
    const auto y_of = [&](double count) { return kBottom - count / y_ticks.back() * (kBottom - kTop); };
    const auto x_of = [&](double value) { return kLeft + (value - low) / (high - low) * (kRight - kLeft); };
    for (const double tick : y_ticks) {
        const std::array grid = {Point{kLeft, y_of(tick)}, Point{kRight, y_of(tick)}};
        canvas->line(grid, kGrid, 1);
        canvas->text({kLeft - 8, y_of(tick) + 4}, format_short(tick), {.size = 11, .color = kMuted, .anchor = Anchor::end});
    }
    for (const double tick : nice_ticks(low, high, 7)) {
        if (tick < low || tick > high) continue;
        canvas->text({x_of(tick), kBottom + 17}, format_short(tick), {.size = 11, .color = kMuted, .anchor = Anchor::middle});
    }
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
        if (histogram.counts[i] == 0) continue;
        const double from = histogram.low + static_cast<double>(i) * histogram.bin_width;
        const double y = std::min(y_of(static_cast<double>(histogram.counts[i])), kBottom - 1);
        canvas->rectangle({x_of(from), y}, std::max(1.0, x_of(from + histogram.bin_width) - x_of(from) - 1), kBottom - y, kBlue,
                          fmt::format("{} calls with {} to {} {}", histogram.counts[i], format_short(from),
                                      format_short(from + histogram.bin_width), unit));
    }
    const std::array axis = {Point{kLeft, kBottom}, Point{kRight, kBottom}};
    canvas->line(axis, kMuted, 1);
    canvas->text({(kLeft + kRight) / 2, kBottom + 36}, unit + " of a call", {.size = 12, .color = kMuted, .anchor = Anchor::middle});
    canvas->text({14, (kTop + kBottom) / 2}, "Calls", {.size = 12, .color = kMuted, .anchor = Anchor::middle, .upright = true});
    return canvas->finish().value_or("");
}

}  // namespace plimsoll::report
