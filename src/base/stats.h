// The few statistics that profile, eval, forecast and report share. Sequences are taken by value where they get sorted.
#pragma once

#include <span>
#include <vector>

namespace plimsoll {

// Linear interpolation between order statistics (numpy's default, Hyndman and Fan type 7):
// k = (n-1)*p/100. `values` need not be sorted. Empty: 0.
double percentile(std::vector<double> values, double p);

// The same on values that are sorted already.
double sorted_percentile(std::span<const double> sorted, double p);

double mean(std::span<const double> values);           // empty: 0
double population_sd(std::span<const double> values);  // divides by n; empty: 0

}  // namespace plimsoll
