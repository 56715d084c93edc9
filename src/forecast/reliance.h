// What an answer rests on beyond the measurement. A limit that is stated or assumed, but that the measured load never came near, is
// an assumption: nothing in the recording tells a true one from a wrong one. The recording only says how low it can be.
#pragma once

#include <string>
#include <vector>

#include "forecast/player.h"

namespace plimsoll::forecast {

// Limits whose place in the measurement `played` leaves by a good part, such as "model-a.max_num_seqs" or "search".
std::vector<std::string> untested_limits(const FittedModel& model, const Played& played);

// Limits that nobody stated and that the recording does not show.
std::vector<std::string> unknown_limits(const FittedModel& model);

// p95 of a session at the target under `guess`; infinity when open arrivals exceed what such a network carries. Errors: limit.
Result<double> p95_under(const FittedModel& model, const Player& player, const Target& target, LimitGuess guess, std::uint64_t seed);

// The warnings a result carries for its limits.
std::vector<std::string> warn_of_limits(const FittedModel& model);

}  // namespace plimsoll::forecast
