// How many replicas a target needs.
#pragma once

#include <optional>
#include <string>

#include "forecast/player.h"

namespace plimsoll::forecast {

struct ReplicaAnswer {
    std::optional<int> replicas;  // of each endpoint
    std::string reason;           // why there is none
};

// The smallest number of replicas whose upper bound meets `request.slo`: bisection on the best guess times the interval's usual upper
// share, then a bootstrap of its own at the number found. `users` are in the system at a time. Errors: limit.
Result<ReplicaAnswer> find_replicas(const FittedModel& model, const Player& player, const ForecastRequest& request, const Target& target,
                                    int users);

}  // namespace plimsoll::forecast
