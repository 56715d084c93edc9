// The most that a fitted network carries, and what holds it there.
#pragma once

#include <string>

#include "forecast/player.h"

namespace plimsoll::forecast {

struct Capacity {
    double sessions_per_second = 0;
    int knee_users = 0;      // where the two asymptotes of a closed network meet: N* = (R0 + Z) X_max
    bool saturated = false;  // more users no longer bring more sessions
    std::string bottleneck;
};

// Plays ever more users until sessions a second no longer grow. Errors: limit.
Result<Capacity> find_capacity(const FittedModel& model, const Player& player, LimitGuess guess, std::uint64_t seed);

}  // namespace plimsoll::forecast
