#include "net/retry.h"

#include <gtest/gtest.h>

namespace plimsoll::net {
namespace {

using std::chrono::milliseconds;

TEST(Retry, WhatIsWorthAnotherTry) {
    const RetryPolicy policy;
    for (const int status : {429, 500, 502, 503, 504}) EXPECT_TRUE(is_retryable(policy, {ErrorCode::http_status, "", status})) << status;
    for (const int status : {400, 401, 404, 422, 501}) EXPECT_FALSE(is_retryable(policy, {ErrorCode::http_status, "", status})) << status;
    EXPECT_TRUE(is_retryable(policy, {ErrorCode::connect, ""}));
    EXPECT_TRUE(is_retryable(policy, {ErrorCode::bad_response, ""}));
    for (const auto code : {ErrorCode::timeout, ErrorCode::cancelled, ErrorCode::limit, ErrorCode::invalid_argument, ErrorCode::internal})
        EXPECT_FALSE(is_retryable(policy, {code, ""})) << to_string(code);
}

TEST(Retry, DelaysGrowToTheCapWithJitter) {
    const RetryPolicy policy{.attempts = 100, .initial = milliseconds(100), .factor = 2, .max = milliseconds(1000)};
    Random random(1);
    const Error error{ErrorCode::connect, ""};
    for (const auto& [attempt, cap] : {std::pair{1, 100}, {2, 200}, {4, 800}, {5, 1000}, {99, 1000}})
        for (int i = 0; i < 200; ++i) {
            const auto delay = next_delay(policy, error, attempt, random);
            ASSERT_TRUE(delay);
            EXPECT_GE(delay->count(), cap / 2);
            EXPECT_LE(delay->count(), cap);
        }
}

TEST(Retry, NoAttemptLeft) {
    Random random(1);
    const Error error{ErrorCode::connect, ""};
    EXPECT_TRUE(next_delay({.attempts = 2}, error, 1, random));
    EXPECT_FALSE(next_delay({.attempts = 2}, error, 2, random));
    EXPECT_FALSE(next_delay({.attempts = 1}, error, 1, random));
}

TEST(Retry, ServerMayAskForMoreButNotForMoreThanTheCap) {
    Random random(1);
    const RetryPolicy policy{.max = milliseconds(5000)};
    EXPECT_EQ(next_delay(policy, {ErrorCode::http_status, "", 429, 2.5}, 1, random), milliseconds(2500));
    EXPECT_EQ(next_delay(policy, {ErrorCode::http_status, "", 429, 3600}, 1, random), milliseconds(5000));
    EXPECT_GE(*next_delay(policy, {ErrorCode::http_status, "", 429, 0}, 1, random), milliseconds(125));
}

TEST(Retry, SameSeedSameDelays) {
    Random a(3);
    Random b(3);
    for (int attempt = 1; attempt < 5; ++attempt)
        EXPECT_EQ(next_delay({}, {ErrorCode::connect, ""}, attempt, a), next_delay({}, {ErrorCode::connect, ""}, attempt, b));
}

}  // namespace
}  // namespace plimsoll::net
