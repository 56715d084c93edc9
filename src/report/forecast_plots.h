// The pictures of a forecast: how long sessions take over the number of users, and how many sessions the servers finish.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

// Everything by number of users or concurrency, lowest first; times in seconds of the session's p95.
struct ForecastCurves {
    struct Forecast {
        int users = 0;
        double p95 = 0, low = 0, high = 0;  // 90 % interval
        double sessions_per_second = 0;
        std::optional<int> replicas;
    };
    struct Level {
        int concurrency = 0;
        double measured = 0;
        std::optional<double> played;  // what the fitted model says for it
    };
    std::vector<Level> levels;
    std::vector<Forecast> forecasts;
    std::map<int, double> nat_linear;
    std::optional<double> target;
    int knee_users = 0;  // 0 = unknown
};

Plot make_forecast_plot(const ForecastCurves& curves);    // p95: measured, played, forecast with its interval, NAT's line, target
Plot make_throughput_plot(const ForecastCurves& curves);  // sessions a minute and the knee
// Replicas that meet the target. Empty series when there is none.
Plot make_replicas_plot(const ForecastCurves& curves);

}  // namespace plimsoll::report
