#include "forecast/step_rebuild.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace plimsoll::forecast {
namespace {

// Sequences that all get a token at the end of every step, seen by a client that is `late` for every so many tokens of a call and
// then reads them together with the next ones; tokens of a step are read 0.1 ms apart.
Level make_level(int sequences, int tokens, int late) {
    constexpr double kStepSeconds = 0.01;
    Level level;
    for (int i = 0; i < sequences; ++i) {
        ModelCall call{.session = i, .prompt = 10, .output = tokens, .streamed = true};
        for (int k = 0; k < tokens; ++k) call.token_times.push_back(kStepSeconds * (k + 1) + 1e-4 * i);
        for (int k = late + i; k + 1 < tokens; k += late)
            call.token_times[static_cast<std::size_t>(k)] = call.token_times[static_cast<std::size_t>(k) + 1];
        call.first_token = call.token_times.front();
        call.ended = call.token_times.back();
        level.duration = std::max(level.duration, call.ended);
        level.calls.push_back(std::move(call));
        level.sessions.push_back({.end = call.ended, .finished = true});
    }
    return level;
}

TEST(StepRebuild, ABunchIsAStepAlsoForAClientThatIsSometimesLate) {
    for (const int late : {1000, 25}) {
        const auto steps = rebuild_steps(make_level(4, 100, late), 0, 4096);
        EXPECT_EQ(steps.size(), 99u) << late;  // the first token's step has none before it
        int whole = 0;
        for (const BatchStep& step : steps) {
            EXPECT_NEAR(step.seconds, 0.01, 0.001) << late;
            whole += step.n == 4;
        }
        EXPECT_GE(whole, late == 25 ? 70 : 99) << late;
    }
}

// Most steps of the level take 40 ms; at its end one call is left, whose steps take 10 ms.
TEST(StepRebuild, NoCallHasTwoTokensInAStep) {
    constexpr int kShared = 100, kAlone = 20;
    Level level;
    for (int i = 0; i < 4; ++i) {
        ModelCall call{.session = i, .prompt = 10, .output = kShared, .streamed = true};
        for (int k = 1; k <= kShared; ++k) call.token_times.push_back(0.04 * k);
        for (int k = 1; i == 0 && k <= kAlone; ++k) call.token_times.push_back(0.04 * kShared + 0.01 * k);
        call.first_token = call.token_times.front();
        call.ended = call.token_times.back();
        level.duration = std::max(level.duration, call.ended);
        level.calls.push_back(std::move(call));
        level.sessions.push_back({.end = call.ended, .finished = true});
    }
    const auto steps = rebuild_steps(level, 0, 4096);
    ASSERT_EQ(steps.size(), static_cast<std::size_t>(kShared - 1 + kAlone));
    for (const BatchStep& step : steps) EXPECT_NEAR(step.seconds, step.n == 4 ? 0.04 : 0.01, 1e-9) << step.n;
}

TEST(StepRebuild, OfNothingIsNothing) { EXPECT_TRUE(rebuild_steps(Level{}, 0, 4096).empty()); }

}  // namespace
}  // namespace plimsoll::forecast
