#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "report/canvas.h"
#include "report/plot.h"
#include "report/sections.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

std::string name_of(const profile::StepLatency& step) { return fmt::format("{} {}", event::to_string(step.category), step.name); }

std::string draw_latencies_svg(std::span<const profile::StepLatency> steps) {
    constexpr double kRow = 26, kLeft = 250, kWidth = 1080, kTop = 8, kTextRoom = 190;
    double longest = 0;
    for (const auto& step : steps) longest = std::max(longest, step.p99);
    if (longest <= 0) return "";
    const double bottom = kTop + kRow * static_cast<double>(steps.size());
    auto canvas = make_svg_canvas(kWidth, bottom + 40, "Latency by step: median, 95th and 99th percentile");
    const auto x_of = [&](double seconds) { return kLeft + seconds / longest * (kWidth - kLeft - kTextRoom); };
    for (const double tick : nice_ticks(0, longest, 6)) {
        if (tick > longest) break;
        const std::array grid = {Point{x_of(tick), kTop}, Point{x_of(tick), bottom}};
        canvas->line(grid, kGrid, 1);
        canvas->text({x_of(tick), bottom + 15}, format_duration(tick), {.size = 11, .color = kMuted, .anchor = Anchor::middle});
    }
    canvas->text({(kLeft + x_of(longest)) / 2, bottom + 33}, "Latency of a call",
                 {.size = 11.5, .color = kMuted, .anchor = Anchor::middle});
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const profile::StepLatency& step = steps[i];
        const double y = kTop + kRow * static_cast<double>(i);
        const auto width_of = [&](double seconds) { return std::max(1.0, x_of(seconds) - kLeft); };
        Color light = color_of(step.category);
        light.alpha = 0.35;
        const std::string tooltip = fmt::format("{}: median {}, p95 {}, p99 {}, {} calls", name_of(step), format_duration(step.p50),
                                                format_duration(step.p95), format_duration(step.p99), step.n);
        canvas->text({kLeft - 10, y + 17}, shorten(name_of(step), 36), {.anchor = Anchor::end});
        canvas->rectangle({kLeft, y + 5}, width_of(step.p95), kRow - 10, light, tooltip);
        canvas->rectangle({kLeft, y + 5}, width_of(step.p50), kRow - 10, color_of(step.category), tooltip);
        const std::array p99 = {Point{x_of(step.p99), y + 3}, Point{x_of(step.p99), y + kRow - 3}};
        canvas->line(p99, kInk, 1.5);
        canvas->text({x_of(step.p99) + 8, y + 17}, fmt::format("{} · p95 {}", format_duration(step.p50), format_duration(step.p95)),
                     {.size = 11, .color = kMuted});
    }
    return canvas->finish().value_or("");
}

}  // namespace

std::string steps_html(const std::vector<profile::StepLatency>& steps) {
    if (steps.empty()) return "";
    TableView table{.head = {"Step", "Calls", "Failed", "Median", "p95", "p99", "First token, median", "Tokens/s", "Share of time"}};
    // Latencies are of the calls that succeeded.
    const auto duration = [](const profile::StepLatency& step, double seconds) { return step.n > 0 ? format_duration(seconds) : ""; };
    for (const profile::StepLatency& step : steps)
        table.rows.push_back({name_of(step), fmt::format("{}", step.n + step.errors + step.unfinished), fmt::format("{}", step.errors),
                              duration(step, step.p50), duration(step, step.p95), duration(step, step.p99),
                              step.ttft_p50 ? format_duration(*step.ttft_p50) : "",
                              step.tokens_per_s ? format_short(*step.tokens_per_s) : "", format_percent(step.self_time_share)});
    std::string body = "<p class=\"legend\">Dark: median. Pale: 95th percentile. Line: 99th percentile.</p>\n";
    body += draw_latencies_svg(std::span(steps).first(std::min(steps.size(), kMaxTableRows)));
    return body + table_html(table);
}

}  // namespace plimsoll::report
