#include "forecast/fitted_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forecast/forecast.h"
#include "forecast/test_levels.h"

namespace plimsoll::forecast {
namespace {

using event::Category;
using event::Phase;

// Sessions of one call each on a server whose batch step takes step_seconds[n] with n sequences; every token is shown.
LevelTraces make_batched_level(int concurrency, int sessions, const std::vector<double>& step_seconds) {
    LevelTraces level{concurrency, "level", {}};
    struct Running {
        std::size_t session = 0;
        int left = 0;
    };
    std::vector<Running> running;
    double now = 1000;
    int started = 0;
    while (started < sessions || !running.empty()) {
        while (static_cast<int>(running.size()) < concurrency && started < sessions) {
            event::SessionTrace session;
            session.steps.push_back(make_step(Category::workflow, Phase::start, now, "agent", "w", "root"));
            session.steps.push_back(make_step(Category::llm, Phase::start, now, "m", "c", "w"));
            level.sessions.push_back(std::move(session));
            running.push_back({level.sessions.size() - 1, 30 + 7 * started++ % 20});
        }
        now += step_seconds.at(running.size());
        for (Running& one : running) {
            auto& steps = level.sessions[one.session].steps;
            steps.push_back(make_step(Category::llm, Phase::chunk, now, "m", "c", "w"));
            if (--one.left > 0) continue;
            auto done = make_step(Category::llm, Phase::end, now, "m", "c", "w");
            done.payload.usage_info.emplace();
            done.payload.usage_info->token_usage.prompt_tokens = 4;
            done.payload.usage_info->token_usage.completion_tokens = std::ssize(steps) - 2;
            steps.push_back(done);
            steps.push_back(make_step(Category::workflow, Phase::end, now, "agent", "w", "root"));
        }
        std::erase_if(running, [](const Running& one) { return one.left == 0; });
    }
    return level;
}

// Up to four sequences cost as much as one after the other, eight hardly more than four: some kernels are like that.
TEST(FittedModel, SaysThatOnlyTheHighestLevelShowsTheSpeedOfItsBatches) {
    const std::vector<double> step_seconds = {0, 0.010, 0.020, 0.030, 0.040, 0.041, 0.042, 0.043, 0.044};
    std::vector<LevelTraces> levels;
    for (const int concurrency : {1, 2, 4, 8}) levels.push_back(make_batched_level(concurrency, 60, step_seconds));
    const Recording recording = make_recording(levels).value();
    ForecastRequest request;
    request.users = {32};
    request.draws = 8;
    const auto width_with = [&](int places) {
        request.limits = make_limits("m", 1, places, 100'000, 4096);
        const auto result = make_forecast(recording, request).value();
        EXPECT_GT(result.held_out.value().error(), 0.4);
        EXPECT_EQ(result.held_out->step.sequences, 8);
        EXPECT_NEAR(result.held_out->step.fitted, 0.044, 0.003);
        EXPECT_NEAR(result.held_out->step.predicted, 0.08, 0.005);
        EXPECT_THAT(result.warnings, testing::Contains(testing::HasSubstr("a step of m with 8 sequences takes")));
        const ForecastInterval& p95 = result.forecasts.at(0).workflow_p95;
        return (p95.high - p95.low) / p95.value;
    };
    // Where no load makes larger batches, what the lower levels could not know of them makes nothing uncertain.
    EXPECT_LT(width_with(8), 0.5 * width_with(16));
}

TEST(FittedModel, TheCacheIsAsTheHighestLevelFoundIt) {
    const auto levels = [](double first, double second) {
        return make_recording({make_level(1, 12, 50, first), make_level(4, 12, 50, second)}).value();
    };
    const auto warmed = FittedModel::fit(levels(0.25, 0.75), {}, 1).value();
    EXPECT_THAT(warmed.warnings(),
                testing::Contains(testing::HasSubstr("25 % of the prompt tokens were in a cache at concurrency 1, 75 % at 4")));
    Random random(1);
    for (const Script* script : warmed.draw_order(50, random, false))
        for (const auto& step : script->steps())
            if (step.kind == TaskKind::model) EXPECT_NEAR(3.0 * step.prompt, step.cached, 4);
    // The same prompts are the same sessions, however much of them was in the cache.
    EXPECT_EQ(warmed.distinct_sessions(), FittedModel::fit(levels(0, 0), {}, 1).value().distinct_sessions());
}

}  // namespace
}  // namespace plimsoll::forecast
