#include "load/backoff.h"

#include <algorithm>
#include <limits>

#include "net/retry.h"

namespace plimsoll::load {

Nanoseconds earliest_start(Nanoseconds begin, Nanoseconds end, const Error& failure, int failures, Random& random) {
    static const net::RetryPolicy kPolicy{
        .attempts = std::numeric_limits<int>::max(), .initial = kFirstBackoff, .max = kMaxBackoff, .statuses = {}};
    const Nanoseconds wait = net::next_delay(kPolicy, failure, failures, random).value_or(kMaxBackoff);
    const Nanoseconds asked = from_seconds(std::clamp(failure.retry_after_s, 0.0, to_seconds(kMaxRetryAfter)));
    return std::max(begin + wait, end + asked);
}

}  // namespace plimsoll::load
