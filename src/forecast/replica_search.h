// How many replicas a target needs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "forecast/player.h"

namespace plimsoll::forecast {

struct ReplicaAnswer {
    std::optional<int> replicas;  // of each endpoint: the upper bound of p95 meets the target
    std::optional<int> expected;  // its value does
    std::string reason;           // why there is no `replicas`
};

// The smallest numbers of replicas that meet `request.slo`: bisection on the best guess, for the value and for it times the interval's
// usual upper share; the latter is then checked and moved by bootstraps of its own. `users` are in the system at a time. Errors: limit.
Result<ReplicaAnswer> find_replicas(const FittedModel& model, const Player& player, const ForecastRequest& request, const Target& target,
                                    int users);

// What each number of replicas can promise to `users`: the upper bound of the p95, of model calls when `request.slo` is about them, else
// of sessions. From one replica, or from kSweepOverload times the users a replica that were measured, in steps of a half or a third until
// one gains less than kFlatSweep or every user has a replica. Errors: limit.
inline constexpr std::size_t kMaxSweep = 12;
inline constexpr double kSweepOverload = 16, kFlatSweep = 0.05;
Result<std::vector<ReplicaPromise>> sweep_replicas(const FittedModel& model, const Player& player, const ForecastRequest& request,
                                                   const Target& target, int users);

}  // namespace plimsoll::forecast
