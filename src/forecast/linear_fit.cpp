#include "forecast/linear_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

constexpr std::size_t kMinPointsForOutliers = 5;
constexpr std::size_t kMaxPointsForRawTest = 8;
constexpr double kRawFence = 2.0;       // interquartile ranges
constexpr double kResidualFence = 1.5;  // interquartile ranges
constexpr std::size_t kMinPointsKept = 3;
constexpr double kRoundingTolerance = 1e-9;  // of the largest y

struct Fence {
    double low, high;
    bool holds(double value) const { return value >= low && value <= high; }
};

Fence make_fence(std::vector<double> values, double ranges, double tolerance) {
    std::ranges::sort(values);
    const double q1 = sorted_percentile(values, 25), q3 = sorted_percentile(values, 75);
    const double reach = ranges * (q3 - q1) + tolerance;
    return {q1 - reach, q3 + reach};
}

// Ordinary least squares; the concurrencies are not all the same.
LinearFit fit_line(std::span<const FitPoint> points) {
    const auto n = static_cast<double>(points.size());
    double sum_x = 0, sum_y = 0, sum_xy = 0, sum_xx = 0;
    for (const auto& [x, y] : points) {
        sum_x += x;
        sum_y += y;
        sum_xy += x * y;
        sum_xx += static_cast<double>(x) * x;
    }
    LinearFit fit;
    fit.slope = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
    fit.intercept = (sum_y - fit.slope * sum_x) / n;
    const double mean_y = sum_y / n;
    double residual = 0, total = 0;
    for (const auto& [x, y] : points) {
        residual += (y - fit.at(x)) * (y - fit.at(x));
        total += (y - mean_y) * (y - mean_y);
    }
    fit.r_squared = total > 0 ? 1 - residual / total : 0;
    return fit;
}

bool has_two_loads(std::span<const FitPoint> points) {
    return std::ranges::any_of(points, [&](const FitPoint& point) { return point.concurrency != points.front().concurrency; });
}

std::vector<double> residuals_of(std::span<const FitPoint> points) {
    const LinearFit line = fit_line(points);
    std::vector<double> residuals;
    residuals.reserve(points.size());
    for (const auto& point : points) residuals.push_back(point.seconds - line.at(point.concurrency));
    return residuals;
}

// Moves the points whose value lies outside the fence from `points` to `removed`.
void drop_outside(std::vector<FitPoint>& points, const std::vector<double>& values, const Fence& fence, std::vector<int>& removed) {
    std::vector<FitPoint> kept;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (fence.holds(values[i]))
            kept.push_back(points[i]);
        else
            removed.push_back(points[i].concurrency);
    }
    points = std::move(kept);
}

std::vector<int> remove_outliers_as_nat(std::vector<FitPoint>& points) {
    std::vector<int> removed;
    if (points.size() <= kMaxPointsForRawTest) {
        std::vector<double> seconds;
        seconds.reserve(points.size());
        for (const auto& point : points) seconds.push_back(point.seconds);
        drop_outside(points, seconds, make_fence(seconds, kRawFence, 0), removed);
    }
    if (!has_two_loads(points)) return removed;
    const auto residuals = residuals_of(points);
    drop_outside(points, residuals, make_fence(residuals, kResidualFence, 0), removed);
    return removed;
}

std::vector<int> remove_outliers(std::vector<FitPoint>& points) {
    const int highest = std::ranges::max(points, {}, &FitPoint::concurrency).concurrency;
    double largest = 0;
    for (const auto& point : points) largest = std::max(largest, std::abs(point.seconds));
    auto residuals = residuals_of(points);
    const Fence fence = make_fence(residuals, kResidualFence, kRoundingTolerance * largest);
    for (std::size_t i = 0; i < points.size(); ++i)
        if (points[i].concurrency == highest) residuals[i] = fence.low;

    std::vector<FitPoint> kept = points;
    std::vector<int> removed;
    drop_outside(kept, residuals, fence, removed);
    if (kept.size() < kMinPointsKept) return {};
    points = std::move(kept);
    return removed;
}

bool is_flat(const LinearFit& fit, std::span<const FitPoint> points) {
    const auto [low, high] = std::ranges::minmax(points, {}, &FitPoint::concurrency);
    return fit.at(high.concurrency) - fit.at(low.concurrency) < kFlatRise * std::abs(fit.at(low.concurrency));
}

}  // namespace

Result<LinearFit> compute_slope(std::span<const FitPoint> points, FitRules rules) {
    if (points.empty() || !has_two_loads(points))
        return fail(ErrorCode::invalid_argument, "a line needs measurements at two different concurrencies");
    std::vector<FitPoint> kept(points.begin(), points.end());
    std::vector<int> removed;
    if (kept.size() >= kMinPointsForOutliers) removed = rules == FitRules::nat ? remove_outliers_as_nat(kept) : remove_outliers(kept);
    if (kept.empty() || !has_two_loads(kept))
        return fail(ErrorCode::invalid_argument, "fewer than two different concurrencies are left without outliers");

    LinearFit fit = fit_line(kept);
    fit.outliers_removed = std::move(removed);
    fit.flat = rules == FitRules::plimsoll && is_flat(fit, kept);
    if (!fit.flat && fit.r_squared < kMinRSquared)
        return fail(ErrorCode::limit,
                    fmt::format("the measurements do not lie on a line: R² is {:.3f}, below {}", fit.r_squared, kMinRSquared));
    return fit;
}

}  // namespace plimsoll::forecast
