#include "report/forecast_plots.h"

#include <algorithm>

namespace plimsoll::report {
namespace {

double highest_users(const ForecastCurves& curves) {
    int highest = 0;
    for (const auto& level : curves.levels) highest = std::max(highest, level.concurrency);
    for (const auto& forecast : curves.forecasts) highest = std::max(highest, forecast.users);
    return highest;
}

Series reference_line(std::string label, Color color, Point from, Point to) {
    return {.label = std::move(label), .color = color, .points = {from, to}, .dashed = true, .draw_markers = false};
}

}  // namespace

Plot make_forecast_plot(const ForecastCurves& curves) {
    Plot plot{.title = "p95 of a session over users", .x_title = "Users", .y_title = "Seconds", .series = {}};
    Series measured{.label = "measured", .color = kInk, .points = {}, .draw_line = false};
    Series played{.label = "fitted model", .color = kGreen, .points = {}, .draw_line = false, .marker = Marker::cross};
    for (const auto& level : curves.levels) {
        measured.points.push_back({static_cast<double>(level.concurrency), level.measured});
        if (level.played) played.points.push_back({static_cast<double>(level.concurrency), *level.played});
    }
    Series value{.label = "forecast", .color = kBlue, .points = {}};
    Series low{.label = "90 % interval", .color = kBlue, .points = {}, .dashed = true, .draw_markers = false};
    Series high{.label = {}, .color = kBlue, .points = {}, .dashed = true, .draw_markers = false};
    for (const auto& forecast : curves.forecasts) {
        const auto x = static_cast<double>(forecast.users);
        value.points.push_back({x, forecast.p95});
        low.points.push_back({x, forecast.low});
        high.points.push_back({x, forecast.high});
    }
    Series nat{.label = "NAT's straight line", .color = kOrange, .points = {}, .dashed = true, .marker = Marker::square};
    for (const auto& [users, seconds] : curves.nat_linear) nat.points.push_back({static_cast<double>(users), seconds});
    for (Series* series : {&measured, &played, &value, &low, &high, &nat})
        if (!series->points.empty()) plot.series.push_back(std::move(*series));
    if (curves.target) plot.series.push_back(reference_line("target", kRed, {0, *curves.target}, {highest_users(curves), *curves.target}));
    return plot;
}

Plot make_throughput_plot(const ForecastCurves& curves) {
    Plot plot{.title = "Sessions finished a minute", .x_title = "Users", .y_title = "Sessions a minute", .series = {}};
    Series finished{.label = "forecast", .color = kGreen, .points = {}};
    double highest = 0;
    for (const auto& forecast : curves.forecasts) {
        finished.points.push_back({static_cast<double>(forecast.users), 60 * forecast.sessions_per_second});
        highest = std::max(highest, 60 * forecast.sessions_per_second);
    }
    plot.series.push_back(std::move(finished));
    if (curves.knee_users > 0) {
        const auto knee = static_cast<double>(curves.knee_users);
        plot.series.push_back(reference_line("knee", kMuted, {knee, 0}, {knee, highest}));
    }
    return plot;
}

Plot make_replicas_plot(const ForecastCurves& curves) {
    Plot plot{.title = "Replicas that meet the target", .x_title = "Users", .y_title = "Replicas", .series = {}};
    Series needed{.label = "replicas", .color = kViolet, .points = {}};
    for (const auto& forecast : curves.forecasts)
        if (forecast.replicas) needed.points.push_back({static_cast<double>(forecast.users), static_cast<double>(*forecast.replicas)});
    if (!needed.points.empty()) plot.series.push_back(std::move(needed));
    return plot;
}

}  // namespace plimsoll::report
