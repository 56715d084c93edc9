// The pictures of a forecast: how long sessions take over the number of users, how many the servers finish, how far the model is off where
// it was measured, and what how many replicas can promise.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "report/picture.h"

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
    struct HeldOut {
        int concurrency = 0;
        double measured = 0, predicted = 0;  // by a model that has not seen this level
    };
    // What each number of replicas can promise.
    struct Sweep {
        int users = 0;
        std::string of = "session";  // or "model call"
        std::optional<double> target;
        std::vector<Point> points;  // the tightest p95, and the replicas that meet it
    };
    std::vector<Level> levels;
    std::vector<Forecast> forecasts;
    std::optional<HeldOut> held_out;
    std::map<int, double> nat_linear;
    std::optional<double> target;
    int knee_users = 0;  // 0 = unknown
    std::optional<Sweep> sweep;
};

// forecast_over_users, forecast_throughput, predicted_vs_measured, replicas_over_users, replicas_over_slo; those for which there is nothing
// are left out.
std::vector<Picture> make_forecast_pictures(const ForecastCurves& curves);

}  // namespace plimsoll::report
