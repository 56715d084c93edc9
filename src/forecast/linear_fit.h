// A straight line through p95 over concurrency, as NAT's sizing calculator fits it, and with its flaws repaired.
#pragma once

#include <span>
#include <vector>

#include "base/error.h"

namespace plimsoll::forecast {

enum class FitRules : std::uint8_t {
    // NAT 1.9.0: from five points on, points that look like outliers are dropped, by raw y too (which on a geometric
    // ladder is the highest load) and by residual without tolerance (which on a perfect line is rounding noise).
    nat,
    // Residuals only, with a tolerance for rounding, never the highest load, never below three points; a curve that does not
    // rise is an answer ("capacity not reached") and not a poor fit.
    plimsoll,
};

struct FitPoint {
    int concurrency = 0;
    double seconds = 0;
};

struct LinearFit {
    double slope = 0;                   // seconds per session in flight
    double intercept = 0;               // seconds
    double r_squared = 0;               // of the points that were kept
    std::vector<int> outliers_removed;  // concurrencies
    bool flat = false;                  // rises by less than kFlatRise over the measured range (plimsoll rules only)

    double at(double concurrency) const { return intercept + slope * concurrency; }
};

inline constexpr double kMinRSquared = 0.7;
// Below a rise of 5 % from the lowest to the highest load the measurement cannot tell growth from noise.
inline constexpr double kFlatRise = 0.05;

// Errors: invalid_argument (fewer than two different concurrencies), limit (R² below kMinRSquared).
Result<LinearFit> compute_slope(std::span<const FitPoint> points, FitRules rules = FitRules::plimsoll);

}  // namespace plimsoll::forecast
