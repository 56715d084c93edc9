#include "report/sizing_plots.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

namespace plimsoll::report {
namespace {

constexpr Color kMetricColors[] = {kBlue, kGreen};
constexpr Marker kMetricMarkers[] = {Marker::circle, Marker::square};

bool is_removed(const FitView& fit, double concurrency) {
    return std::ranges::find(fit.removed, static_cast<int>(concurrency)) != fit.removed.end();
}

}  // namespace

Plot make_simple_plot(const std::vector<MetricView>& metrics) {
    Plot plot{.title = "Concurrency vs. p95 LLM Latency and Workflow Runtime", .x_title = "Concurrency", .y_title = "Seconds"};
    for (std::size_t i = 0; i < metrics.size(); ++i)
        plot.series.push_back({.label = metrics[i].name,
                               .color = kMetricColors[i % std::size(kMetricColors)],
                               .points = metrics[i].points,
                               .marker = kMetricMarkers[i % std::size(kMetricMarkers)]});
    return plot;
}

Plot make_analysis_plot(const MetricView& metric, Color color) {
    Plot plot{.title = "Concurrency vs. " + metric.name, .x_title = "Concurrency", .y_title = metric.name};
    Series kept{.label = "measured", .color = color, .points = {}, .draw_line = false};
    Series removed{.label = "left out", .color = kRed, .points = {}, .draw_line = false, .marker = Marker::cross};
    for (const Point& point : metric.points) (metric.fit && is_removed(*metric.fit, point.x) ? removed : kept).points.push_back(point);
    double highest = 0;
    for (const Point& point : metric.points) highest = std::max(highest, point.x);
    if (metric.fit) {
        const FitView& fit = *metric.fit;
        plot.series.push_back({.label = fmt::format("{:.4g} s + {:.4g} s × C, R² {:.3f}", fit.intercept, fit.slope, fit.r_squared),
                               .color = kMuted,
                               .points = {{0, fit.intercept}, {highest, fit.intercept + fit.slope * highest}},
                               .dashed = true,
                               .draw_markers = false});
    }
    plot.series.push_back(std::move(kept));
    if (!removed.points.empty()) plot.series.push_back(std::move(removed));
    if (metric.target > 0)
        plot.series.push_back({.label = fmt::format("target {} s", format_short(metric.target)),
                               .color = kRed,
                               .points = {{0, metric.target}, {highest, metric.target}},
                               .dashed = true,
                               .draw_markers = false});
    return plot;
}

Result<std::string> draw_simple_png(const std::vector<MetricView>& metrics) {
    constexpr double kWidth = 900, kHeight = 450;
    auto canvas = make_png_canvas(kWidth, kHeight, 2);
    make_simple_plot(metrics).draw(*canvas, {0, 0}, kWidth, kHeight);
    return canvas->finish();
}

Result<std::string> draw_analysis_png(const std::vector<MetricView>& metrics) {
    std::vector<const MetricView*> fitted;
    for (const MetricView& metric : metrics)
        if (metric.fit) fitted.push_back(&metric);
    if (fitted.empty()) return fail(ErrorCode::not_found, "no metric could be fitted");
    constexpr double kPanel = 700, kHeight = 520;
    auto canvas = make_png_canvas(kPanel * static_cast<double>(fitted.size()), kHeight, 2);
    for (std::size_t i = 0; i < fitted.size(); ++i)
        make_analysis_plot(*fitted[i], kMetricColors[i % std::size(kMetricColors)])
            .draw(*canvas, {kPanel * static_cast<double>(i), 0}, kPanel, kHeight);
    return canvas->finish();
}

}  // namespace plimsoll::report
