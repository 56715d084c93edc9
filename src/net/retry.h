// When and how long to wait before asking a server again.
#pragma once

#include <chrono>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/random.h"

namespace plimsoll::net {

struct RetryPolicy {
    int attempts = 5;  // in all, the first one included; 1 = never again
    std::chrono::milliseconds initial{250};
    double factor = 2;
    std::chrono::milliseconds max{20'000};
    std::set<int> statuses = {429, 500, 502, 503, 504};
};

// Worth another try: a listed status, a refused or reset connection, a cut or malformed answer. Not: timeouts of the
// caller's own deadline, cancellation, other statuses.
bool is_retryable(const RetryPolicy& policy, const Error& error);

// Wait before attempt `attempt` + 1 (attempt counts from 1), or nothing when no attempt is left: full jitter over
// [0.5, 1] × min(max, initial × factor^(attempt-1)), but at least the server's Retry-After (itself capped at `max`).
// Whether the error deserves another try is is_retryable()'s question, not asked here.
std::optional<std::chrono::milliseconds> next_delay(const RetryPolicy& policy, const Error& error, int attempt, Random& random);

}  // namespace plimsoll::net
