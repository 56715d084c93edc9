// How wide an interval is: what a bootstrap shows, and on top of it that every model of a server is somewhat wrong.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "forecast/fitted_model.h"

namespace plimsoll::forecast {

struct ForecastInterval {
    double value = 0, low = 0, high = 0;  // 90 %
};

// Standard deviation of log p95 that is the model's own: the held-out error, the mismatch on measured levels, and the distance in
// doublings of the users a replica, since more replicas bring the load of each back towards what was measured.
double discrepancy(const FittedModel& model, double users, int replicas);

// 5th to 95th percentile of the draws, each blurred by the discrepancy; it always holds `value`.
struct Spread {
    ForecastInterval interval;
    std::vector<double> values;  // blurred and sorted
    double share_up_to(double limit) const;
};
Spread spread_draws(double value, std::span<const double> draws, double discrepancy, std::uint64_t seed);

}  // namespace plimsoll::forecast
