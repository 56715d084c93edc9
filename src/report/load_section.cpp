#include <fmt/format.h>

#include <algorithm>

#include "report/plot.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

// Marks for the highest spikes; more would hide the curve.
constexpr std::size_t kMaxSpikeMarks = 20;

// The highest spikes, the highest first.
Series mark_spikes(const profile::LoadCurve& load) {
    Series spikes{.label = {}, .color = kRed, .points = {}, .draw_line = false, .marker = Marker::cross};
    for (std::size_t i = 0; i < load.bins.size(); ++i)
        if (load.bins[i].spike)
            spikes.points.push_back({(static_cast<double>(i) + 0.5) * load.bin_seconds, static_cast<double>(load.bins[i].max)});
    spikes.label = fmt::format("spike: {} or more at once", load.spike_level);
    if (spikes.points.size() <= kMaxSpikeMarks) return spikes;
    spikes.label += fmt::format(" (the {} highest of {} pieces)", kMaxSpikeMarks, spikes.points.size());
    std::ranges::stable_sort(spikes.points, std::greater(), &Point::y);
    spikes.points.resize(kMaxSpikeMarks);
    return spikes;
}

}  // namespace

std::string load_html(const profile::LoadCurve& load) {
    if (load.bins.empty()) return "";
    constexpr double kWidth = 1080, kHeight = 320;
    Series mean{.label = "mean", .color = kBlue, .points = {}, .draw_markers = false};
    Series highest{.label = "highest", .color = kMuted, .points = {}, .draw_markers = false};
    for (std::size_t i = 0; i < load.bins.size(); ++i) {
        const profile::LoadBin& bin = load.bins[i];
        const double from = static_cast<double>(i) * load.bin_seconds, to = from + load.bin_seconds;
        highest.points.insert(highest.points.end(), {{from, static_cast<double>(bin.max)}, {to, static_cast<double>(bin.max)}});
        mean.points.push_back({(from + to) / 2, bin.mean});
    }
    Plot plot{.title = "LLM and tool calls in flight", .x_title = "Time since the first call (s)", .y_title = "Calls at once"};
    plot.series = {std::move(highest), std::move(mean)};
    if (Series spikes = mark_spikes(load); !spikes.points.empty()) plot.series.push_back(std::move(spikes));
    auto canvas = make_svg_canvas(kWidth, kHeight, plot.title);
    plot.draw(*canvas, {0, 0}, kWidth, kHeight);
    std::string body = canvas->finish().value_or("");
    body += paragraph_html(fmt::format("{} or more calls were in flight for {} of {} ({}).", load.spike_level,
                                       format_duration(load.spike_seconds), format_duration(load.seconds),
                                       format_percent(load.spike_seconds / load.seconds)));
    return body;
}

}  // namespace plimsoll::report
