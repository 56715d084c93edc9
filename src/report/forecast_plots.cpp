#include "report/forecast_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

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

// p95: measured, forecast with its interval, NAT's line, target.
Plot make_users_plot(const ForecastCurves& curves) {
    Plot plot{.title = "p95 of a session over users", .x_title = "Users", .y_title = "Seconds", .series = {}};
    Series measured{.label = "measured", .color = kInk, .points = {}, .draw_line = false};
    for (const auto& level : curves.levels) measured.points.push_back({static_cast<double>(level.concurrency), level.measured});
    Series value{.label = "forecast with 90 % interval", .color = kBlue, .points = {}, .error_bars = {}};
    for (const auto& forecast : curves.forecasts) {
        value.points.push_back({static_cast<double>(forecast.users), forecast.p95});
        value.error_bars.push_back({forecast.low, forecast.high});
    }
    Series nat{.label = "NAT's straight line", .color = kOrange, .points = {}, .dashed = true, .marker = Marker::square};
    for (const auto& [users, seconds] : curves.nat_linear) nat.points.push_back({static_cast<double>(users), seconds});
    for (Series* series : {&measured, &value, &nat})
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
        plot.series.push_back(reference_line(fmt::format("knee at {}", curves.knee_users), kMuted, {knee, 0}, {knee, highest}));
    }
    return plot;
}

// How far the model is off: a point on the diagonal is right.
Plot make_check_plot(const ForecastCurves& curves) {
    Plot plot{.title = "Predicted against measured, by sessions at once",
              .x_title = "Measured p95 of a session (s)",
              .y_title = "Predicted (s)",
              .series = {},
              .x_from_zero = false,
              .y_from_zero = false};
    Series fitted{.label = "fitted levels", .color = kBlue, .points = {}, .notes = {}, .draw_line = false};
    Series held_out{.label = "held out", .color = kRed, .points = {}, .notes = {}, .draw_line = false, .marker = Marker::square};
    double lowest = std::numeric_limits<double>::infinity(), highest = 0;
    const auto add = [&](Series& series, int concurrency, double measured, double predicted) {
        series.points.push_back({measured, predicted});
        series.notes.push_back(fmt::format("{}", concurrency));
        lowest = std::min({lowest, measured, predicted});
        highest = std::max({highest, measured, predicted});
    };
    for (const auto& level : curves.levels)
        if (level.played) add(fitted, level.concurrency, level.measured, *level.played);
    if (const auto& held = curves.held_out) add(held_out, held->concurrency, held->measured, held->predicted);
    if (highest <= 0) return plot;
    plot.series.push_back(reference_line("equal", kMuted, {lowest, lowest}, {highest, highest}));
    for (Series* series : {&fitted, &held_out})
        if (!series->points.empty()) plot.series.push_back(std::move(*series));
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

Plot make_sweep_plot(const ForecastCurves::Sweep& sweep) {
    Plot plot{.title = fmt::format("Replicas against the target, {} users", sweep.users),
              .x_title = fmt::format("Target for the p95 of a {} (s)", sweep.of),
              .y_title = "Replicas",
              .series = {}};
    if (sweep.points.empty()) return plot;
    plot.series.push_back({.label = "upper bound meets the target", .color = kViolet, .points = sweep.points});
    const double most = std::ranges::max(sweep.points, {}, &Point::y).y;
    if (sweep.target) plot.series.push_back(reference_line("target", kRed, {*sweep.target, 0}, {*sweep.target, most}));
    return plot;
}

}  // namespace

std::vector<Picture> make_forecast_pictures(const ForecastCurves& curves) {
    std::vector<Picture> pictures;
    const auto add = [&](const char* name, Plot plot) {
        if (!plot.series.empty()) pictures.push_back({name, {std::move(plot)}});
    };
    add("forecast_over_users", make_users_plot(curves));
    if (!curves.forecasts.empty()) add("forecast_throughput", make_throughput_plot(curves));
    add("predicted_vs_measured", make_check_plot(curves));
    add("replicas_over_users", make_replicas_plot(curves));
    if (curves.sweep) add("replicas_over_slo", make_sweep_plot(*curves.sweep));
    return pictures;
}

}  // namespace plimsoll::report
