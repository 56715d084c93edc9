// The two pictures of a sizing run, as NAT draws them: p95 over concurrency, and the scatter with its fit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

struct FitView {
    double slope = 0, intercept = 0, r_squared = 0;
    std::vector<int> removed;  // concurrencies left out as outliers
};

struct MetricView {
    std::string name;           // "p95 workflow runtime (s)"
    std::vector<Point> points;  // concurrency, seconds
    std::optional<FitView> fit;
    double target = 0;  // seconds; 0 = none
};

Plot make_simple_plot(const std::vector<MetricView>& metrics);
Plot make_analysis_plot(const MetricView& metric, Color color);

// concurrency_vs_p95_simple.png
Result<std::string> draw_simple_png(const std::vector<MetricView>& metrics);
// concurrency_vs_p95_analysis.png: a panel a metric that has a fit. Errors: not_found when none has.
Result<std::string> draw_analysis_png(const std::vector<MetricView>& metrics);

}  // namespace plimsoll::report
