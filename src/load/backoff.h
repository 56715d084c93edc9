// When a user of a closed loop whose session failed begins the next one: later, so that a target that refuses or has gone is not hammered,
// and the figures are not drowned in its refusals.
#pragma once

#include "base/error.h"
#include "base/random.h"
#include "load/duration_text.h"

namespace plimsoll::load {

// From one start to the next there is a wait that begins with the first, doubles with each failure in a row up to the second, and varies by
// half so that users do not come back in step. A Retry-After counts from the failure, up to its own bound.
inline constexpr std::chrono::milliseconds kFirstBackoff{100}, kMaxBackoff{5'000}, kMaxRetryAfter{300'000};

// `begin` and `end` of the session that failed, and how many in a row have; all times from the run's start.
Nanoseconds earliest_start(Nanoseconds begin, Nanoseconds end, const Error& failure, int failures, Random& random);

}  // namespace plimsoll::load
