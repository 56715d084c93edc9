#include "net/retry.h"

#include <algorithm>
#include <cmath>

namespace plimsoll::net {

bool is_retryable(const RetryPolicy& policy, const Error& error) {
    switch (error.code) {
        case ErrorCode::connect:
        case ErrorCode::bad_response: return true;
        case ErrorCode::http_status: return policy.statuses.contains(error.http_status);
        default: return false;
    }
}

std::optional<std::chrono::milliseconds> next_delay(const RetryPolicy& policy, const Error& error, int attempt, Random& random) {
    PLIMSOLL_CHECK(attempt >= 1, std::to_string(attempt));
    if (attempt >= policy.attempts) return std::nullopt;
    const double max_ms = static_cast<double>(policy.max.count());
    // The power overflows to infinity for a large attempt; min() makes that the cap.
    const double backoff_ms = std::min(max_ms, static_cast<double>(policy.initial.count()) * std::pow(policy.factor, attempt - 1));
    double delay_ms = backoff_ms * random.uniform(0.5, 1);
    if (error.retry_after_s >= 0) delay_ms = std::max(delay_ms, std::min(max_ms, error.retry_after_s * 1000));
    return std::chrono::milliseconds(std::llround(delay_ms));
}

}  // namespace plimsoll::net
