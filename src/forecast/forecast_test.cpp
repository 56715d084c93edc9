#include "forecast/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/decompress.h"
#include "base/files.h"
#include "forecast/forecast_output.h"
#include "forecast/gpu_estimate.h"
#include "forecast/test_levels.h"

namespace plimsoll::forecast {
namespace {

using event::Category;

const std::filesystem::path kData = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests" / "data";

Recording load_recording(const std::string& folder, const std::vector<int>& concurrencies, const std::vector<LeaveOut>& without = {}) {
    RecordingBuilder builder(without);
    for (const int c : concurrencies) {
        const auto bytes = load_file(kData / folder / ("c" + std::to_string(c) + ".json.gz")).value();
        auto file = event::parse_traces(decompress(bytes, Compression::gzip, std::size_t{1} << 30)->text).value();
        EXPECT_TRUE(builder.add({c, folder, std::move(file.sessions)}));
    }
    return std::move(builder).finish().value();
}

double truth_of(const std::string& folder, int users) {
    const auto text = load_file(kData / folder / "truth.json").value();
    const auto value = parse_json(text).value();
    const json::value* at = find(value, std::to_string(users));
    return at->is_object() ? get_number(*at, "p95").value() : at->to_number<double>();
}

Recording small_recording() { return make_recording({make_level(1, 12), make_level(2, 12), make_level(4, 12)}).value(); }

TEST(Forecast, OfARealServerIsWithinTenPercentAtSixTimesTheLoad) {
    const auto recording = load_recording("forecast_real", {1, 2, 4});
    ForecastRequest request;
    request.users = {8, 16, 24};
    request.limits = make_limits("smollm2", 1, 8, 32768, 2048);
    request.draws = 8;
    const auto result = make_forecast(recording, request).value();
    EXPECT_FALSE(result.refused);
    for (const UsersForecast& at : result.forecasts) {
        const double truth = truth_of("forecast_real", at.users);
        EXPECT_NEAR(at.workflow_p95.value, truth, 0.1 * truth) << at.users;
        EXPECT_LE(at.workflow_p95.low, truth) << at.users;
        EXPECT_GE(at.workflow_p95.high, truth) << at.users;
    }
    ASSERT_TRUE(result.held_out);
    EXPECT_EQ(result.held_out->concurrency, 4);
    EXPECT_LT(std::abs(result.held_out->error()), 0.1);
    EXPECT_THAT(result.bottleneck, testing::HasSubstr("smollm2"));
}

TEST(Forecast, OfASimulatedServerIsWithinEightPercentAtTwelveTimesTheLoad) {
    const auto recording = load_recording("forecast", {1, 4, 16});
    ForecastRequest request;
    request.users = {200};
    request.limits = make_limits("model-a", 2, 96, 900'000, 4096);
    request.draws = 4;
    request.hold_out = false;
    const auto result = make_forecast(recording, request).value();
    const double truth = truth_of("forecast", 200);
    EXPECT_NEAR(result.forecasts.at(0).workflow_p95.value, truth, 0.08 * truth);
    EXPECT_EQ(result.nat_linear.size(), 1u);
}

TEST(Forecast, WithLimitsUnknownFarBeyondTheMeasuredIsRefused) {
    const auto recording = load_recording("forecast", {1, 4});
    ForecastRequest request;
    request.users = {200};
    request.limits = make_limits("model-a", 2, 96, 900'000, 4096);
    request.limits.endpoints["model-a"].max_num_seqs.reset();
    request.draws = 2;
    const auto result = make_forecast(recording, request).value();
    ASSERT_TRUE(result.refused);
    EXPECT_THAT(*result.refused, testing::HasSubstr("max_num_seqs"));
    EXPECT_FALSE(result.forecasts.at(0).supported);
    ASSERT_TRUE(result.next_concurrency);
    EXPECT_GT(*result.next_concurrency, 4);
}

TEST(Forecast, OfOneLevelIsRefused) {
    const auto recording = make_recording({make_level(2, 20)}).value();
    const auto result = make_forecast(recording, {.users = {10}}).value();
    EXPECT_TRUE(result.refused);
    EXPECT_EQ(result.next_concurrency, 4);
    EXPECT_TRUE(to_json(result).contains("refused"));
}

TEST(Forecast, ClaimsThatTheRecordingContradictsAreNotUsed) {
    ForecastRequest request;
    request.users = {4};
    request.limits = make_limits("m", 1, 2, 150, 4096);
    request.draws = 2;
    const auto result = make_forecast(small_recording(), request).value();
    EXPECT_THAT(result.warnings, testing::Contains(testing::HasSubstr("max_num_seqs 2 is contradicted")));
    EXPECT_THAT(result.warnings, testing::Contains(testing::HasSubstr("kv_tokens 150 is contradicted")));
}

TEST(Forecast, IsTheSameForTheSameSeedOnly) {
    const Recording recording = small_recording();
    ForecastRequest request;
    request.users = {6};
    request.limits = make_limits("m", 1, 16, 100'000, 4096);
    request.draws = 4;
    const std::string once = to_compact_json(to_json(make_forecast(recording, request).value()));
    EXPECT_EQ(once, to_compact_json(to_json(make_forecast(recording, request).value())));
    request.seed = 2;
    EXPECT_NE(once, to_compact_json(to_json(make_forecast(recording, request).value())));
}

TEST(Forecast, JsonHasTheKeysOfTheContract) {
    ForecastRequest request;
    request.users = {4, 8};
    request.limits = make_limits("m", 1, 16, 100'000, 4096);
    request.draws = 3;
    request.slo = parse_slo("p95 workflow < 30s").value();
    const json::object out = to_json(make_forecast(small_recording(), request).value());
    for (const char* key : {"forecasts", "bottleneck", "knee_users", "holdout", "next_concurrency", "nat_linear", "warnings"})
        EXPECT_TRUE(out.contains(key)) << key;
    EXPECT_FALSE(out.contains("refused"));
    ASSERT_EQ(out.at("forecasts").as_array().size(), 2u);
    const json::object& first = out.at("forecasts").as_array()[0].as_object();
    EXPECT_EQ(first.at("users"), 4);
    for (const char* key : {"workflow_p95", "llm_p95"}) {
        const json::object& interval = first.at(key).as_object();
        EXPECT_LE(interval.at("low").as_double(), interval.at("value").as_double()) << key;
        EXPECT_GE(interval.at("high").as_double(), interval.at("value").as_double()) << key;
    }
    EXPECT_EQ(first.at("meets_slo").as_double(), 1);
    EXPECT_EQ(first.at("replicas_needed"), 1);
    EXPECT_EQ(out.at("holdout").as_object().at("concurrency"), 4);
    // NAT refuses a line through a flat curve.
    EXPECT_TRUE(out.at("nat_linear").as_object().empty());
}

TEST(Forecast, ATargetBelowOneCallAloneHasNoReplicaCount) {
    ForecastRequest request;
    request.users = {4};
    request.limits = make_limits("m", 1, 16, 100'000, 4096);
    request.draws = 2;
    request.slo = parse_slo("p95 workflow < 10ms").value();
    const auto result = make_forecast(small_recording(), request).value();
    EXPECT_FALSE(result.forecasts.at(0).replicas_needed);
    EXPECT_NE(result.forecasts.at(0).replicas_reason, "");
    EXPECT_EQ(result.forecasts.at(0).meets_slo, 0);
}

TEST(Forecast, AMillionUsersAreAnsweredByCells) {
    ForecastRequest request;
    request.users = {1'000'000};
    request.limits = make_limits("m", 1, 4, 100'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const auto one = make_forecast(small_recording(), request).value();
    // 4 places, half a second a session: a million users wait for 125,000 s.
    EXPECT_NEAR(one.forecasts.at(0).workflow_p95.value, 130'000, 30'000);
    request.replicas = 500'000;
    const auto many = make_forecast(small_recording(), request).value();
    EXPECT_LT(many.forecasts.at(0).workflow_p95.value, 2);
}

// Beyond what is played user by user the number of replicas must not be rounded away.
TEST(Forecast, CellsAnswerLikeTheWhole) {
    const Recording recording = small_recording();
    const auto p95 = [&](int users, int replicas) {
        ForecastRequest request;
        request.users = {users};
        request.limits = make_limits("m", 1, 4, 100'000, 4096);
        request.replicas = replicas;
        request.draws = 1;
        request.hold_out = false;
        return make_forecast(recording, request).value().forecasts.at(0).workflow_p95.value;
    };
    EXPECT_NEAR(p95(3000, 19) / p95(1500, 9), 9.0 / 9.5, 0.03);
    EXPECT_NEAR(p95(3000, 19) / p95(3000, 20), 20.0 / 19.0, 0.03);
    EXPECT_NEAR(p95(100'000, 1) / p95(10'000, 1), 10, 0.3);
}

TEST(Forecast, AFasterMachineIsFaster) {
    ForecastRequest request;
    request.users = {32};
    request.limits = make_limits("m", 1, 4, 100'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const double before = make_forecast(small_recording(), request).value().forecasts.at(0).workflow_p95.value;
    request.step_scale = 0.5;
    EXPECT_NEAR(make_forecast(small_recording(), request).value().forecasts.at(0).workflow_p95.value, before / 2, 0.15 * before);
}

TEST(Forecast, ReplicasShareTheUsers) {
    ForecastRequest request;
    request.users = {32};
    request.limits = make_limits("m", 1, 4, 100'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const double one = make_forecast(small_recording(), request).value().forecasts.at(0).workflow_p95.value;
    request.replicas = 4;
    EXPECT_LT(make_forecast(small_recording(), request).value().forecasts.at(0).workflow_p95.value, 0.4 * one);
}

TEST(Forecast, SaysWhatEachNumberOfReplicasCanPromiseAndTheirGpus) {
    const auto recording = load_recording("forecast", {1, 4, 16});
    ForecastRequest request;
    request.users = {32, 100};
    request.limits = make_limits("model-a", 2, 96, 900'000, 4096);
    request.limits.endpoints.at("model-a").gpus_per_replica = 4;
    request.slo = parse_slo("p95 workflow < 120s").value();
    request.draws = 4;
    request.hold_out = false;
    request.sweep_replicas = true;
    const auto result = make_forecast(recording, request).value();
    ASSERT_TRUE(result.replica_sweep);
    EXPECT_EQ(result.replica_sweep->users, 100);
    const auto& promises = result.replica_sweep->promises;
    ASSERT_GE(promises.size(), 3u);
    EXPECT_EQ(promises.front().replicas, 1);
    EXPECT_LT(promises.back().p95, promises.front().p95);
    EXPECT_TRUE(std::ranges::is_sorted(promises, {}, &ReplicaPromise::replicas));
    const UsersForecast& most = result.forecasts.back();
    ASSERT_TRUE(most.replicas_needed);
    for (const ReplicaPromise& promise : promises) {  // the two agree
        if (promise.replicas >= *most.replicas_needed) EXPECT_LE(promise.p95, 1.1 * 120) << promise.replicas;
        if (promise.replicas < *most.replicas_needed) EXPECT_GE(promise.p95, 0.9 * 120) << promise.replicas;
    }
    EXPECT_EQ(most.gpus_needed, 4 * *most.replicas_needed);
    EXPECT_THAT(forecast_text(result), testing::HasSubstr("GPUs"));
    EXPECT_EQ(to_json(result).at("replica_sweep").at("points").as_array().size(), promises.size());
    EXPECT_EQ(gpus_of_replicas(2, {"a", "b"}, Limits{.endpoints = {{"a", {.gpus_per_replica = 1}}}}), std::nullopt);
    EXPECT_EQ(gpus_of_replicas(2, {"a", "b"}, Limits{.endpoints = {{"a", {.gpus_per_replica = 1}}, {"b", {.gpus_per_replica = 8}}}}), 18);
}

TEST(Forecast, CachedPromptsAreNotRead) {
    const auto recording = load_recording("forecast", {1, 4});
    ForecastRequest request;
    request.users = {32};
    request.limits = make_limits("model-a", 2, 96, 900'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const double before = make_forecast(recording, request).value().forecasts.at(0).workflow_p95.value;
    request.cache_hit_rate = 0.9;
    EXPECT_LT(make_forecast(recording, request).value().forecasts.at(0).workflow_p95.value, 0.95 * before);
}

TEST(Forecast, WithoutAStepIsFaster) {
    ForecastRequest request;
    request.users = {32};
    request.limits = make_limits("model-a", 2, 96, 900'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const auto p95 = [&](const std::vector<LeaveOut>& without) {
        const auto recording = load_recording("forecast", {1, 4}, without);
        return make_forecast(recording, request).value().forecasts.at(0).workflow_p95.value;
    };
    const double all = p95({});
    EXPECT_LT(p95({{"write_sections"}}), 0.9 * all);
    EXPECT_LT(p95({{"reflect_or_extend"}}), 0.95 * all);
    EXPECT_NEAR(p95({{"reflect_or_extend", 9}}), all, 1e-9);
    RecordingBuilder builder({{"no such step"}});
    EXPECT_TRUE(builder.add(make_level(1, 12)));
    const auto missing = std::move(builder).finish();
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, testing::HasSubstr("agent"));
}

TEST(Forecast, OnAnotherMachineTakesItsLawAndLimits) {
    ForecastRequest request;
    request.users = {4};
    request.limits = make_limits("m", 1, 64, 100'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    StepLaw law;
    law.a = 0.1;  // a step; the recording's are of 10 ms
    request.machines["m"] = {"slow", law, {.max_num_seqs = 64, .kv_tokens = 100'000, .max_batched_tokens = 4096}};
    EXPECT_NEAR(make_forecast(small_recording(), request).value().forecasts.at(0).workflow_p95.value, 5.4, 0.2);
    request.machines["n"] = request.machines["m"];
    EXPECT_EQ(make_forecast(small_recording(), request).error().code, ErrorCode::invalid_argument);
}

TEST(Forecast, ALimitThatWasNeverReachedIsSaidToCarryTheAnswer) {
    ForecastRequest request;
    request.users = {4, 40};
    request.limits = make_limits("m", 1, 64, 100'000, 4096);
    request.draws = 4;
    const auto result = make_forecast(small_recording(), request).value();
    EXPECT_FALSE(result.refused);
    EXPECT_FALSE(result.forecasts.at(0).if_limit_is_wrong);
    const auto& wrong = result.forecasts.at(1).if_limit_is_wrong;
    ASSERT_TRUE(wrong);
    EXPECT_THAT(wrong->names, testing::Contains("m.max_num_seqs"));
    // With 4 places, as many as were seen, 40 users wait ten times as long.
    EXPECT_GT(wrong->high, 4.5);
    EXPECT_LT(result.forecasts.at(1).workflow_p95.high, 2);
    const json::object out = to_json(result);
    EXPECT_FALSE(out.at("forecasts").at(0).as_object().contains("if_limit_is_wrong"));
    EXPECT_GT(out.at("forecasts").at(1).at("if_limit_is_wrong").at("high").as_double(), 4.5);
    EXPECT_THAT(forecast_text(result), testing::HasSubstr("m.max_num_seqs"));
}

TEST(Forecast, OpenArrivalsThatOnlyAnUntestedLimitCarriesHaveNoBoundWithoutIt) {
    ForecastRequest request;
    request.rate = 40;
    request.limits = make_limits("m", 1, 64, 100'000, 4096);
    request.draws = 2;
    const auto result = make_forecast(small_recording(), request).value();
    EXPECT_FALSE(result.refused);
    ASSERT_TRUE(result.forecasts.at(0).if_limit_is_wrong);
    EXPECT_EQ(result.forecasts.at(0).if_limit_is_wrong->high, std::numeric_limits<double>::infinity());
    EXPECT_TRUE(to_json(result).at("forecasts").at(0).at("if_limit_is_wrong").at("high").is_null());
}

TEST(Forecast, OpenArrivalsBeyondCapacityAreRefused) {
    ForecastRequest request;
    request.rate = 2;
    request.limits = make_limits("m", 1, 4, 100'000, 4096);
    request.draws = 1;
    request.hold_out = false;
    const auto carried = make_forecast(small_recording(), request).value();
    EXPECT_FALSE(carried.refused);
    EXPECT_EQ(carried.forecasts.at(0).users, 1);  // half a second each, two a second
    request.rate = 50;
    const auto refused = make_forecast(small_recording(), request).value();
    EXPECT_TRUE(refused.refused);
    EXPECT_TRUE(to_json(refused).at("forecasts").at(0).at("workflow_p95").at("value").is_null());
}

TEST(Forecast, WrongRequestsAreNamed) {
    const Recording recording = small_recording();
    for (const ForecastRequest& request : {ForecastRequest{}, ForecastRequest{.users = {0}}, ForecastRequest{.users = {4}, .step_scale = 0},
                                           ForecastRequest{.users = {4}, .cache_hit_rate = 1}, ForecastRequest{.users = {4}, .draws = 0}}) {
        const auto result = make_forecast(recording, request);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    }
}

TEST(Slo, ReadsMetricAndUnit) {
    EXPECT_DOUBLE_EQ(parse_slo("p95 workflow < 120s")->seconds, 120);
    EXPECT_DOUBLE_EQ(parse_slo(" p95 llm<=1500 ms ")->seconds, 1.5);
    EXPECT_EQ(parse_slo("p95 llm < 2")->metric, Slo::Metric::llm);
    EXPECT_DOUBLE_EQ(parse_slo("p95 workflow < 2min")->seconds, 120);
    for (const char* wrong : {"", "p95", "p99 workflow < 1s", "error_rate < 1%", "p95 workflow > 1s", "p95 workflow < -1s",
                              "p95 workflow < 1h", "p95 workflow < x"})
        EXPECT_FALSE(parse_slo(wrong)) << wrong;
}

TEST(Recording, KeepsOpenSessionsCallsButNotTheirLength) {
    LevelTraces level = make_level(2, 10);
    level.sessions.back().steps.pop_back();
    const auto recording = make_recording({level}).value();
    EXPECT_EQ(recording.levels[0].lengths().size(), 17u);
    EXPECT_EQ(recording.levels[0].calls.size(), 20u);
}

TEST(Recording, NamesWhatIsWrongWithTheTraces) {
    const auto code = [](const Result<Recording>& result) { return result ? ErrorCode::internal : result.error().code; };
    EXPECT_EQ(code(make_recording({{1, "empty", {}}})), ErrorCode::invalid_argument);
    LevelTraces no_calls = make_level(1, 5);
    for (auto& session : no_calls.sessions)
        std::erase_if(session.steps, [](const auto& step) { return step.payload.event_type.category == Category::llm; });
    EXPECT_EQ(code(make_recording({no_calls})), ErrorCode::invalid_argument);
    LevelTraces no_tokens = make_level(1, 5);
    for (auto& session : no_tokens.sessions)
        for (auto& step : session.steps) step.payload.usage_info.reset();
    EXPECT_EQ(code(make_recording({no_tokens})), ErrorCode::invalid_argument);
    EXPECT_EQ(code(make_recording({make_level(1, 1)})), ErrorCode::invalid_argument);
    EXPECT_EQ(code(make_recording({make_level(1, 5), make_level(1, 5)})), ErrorCode::invalid_argument);
    EXPECT_EQ(code(make_recording({make_level(1, 5)}, {{"no such step"}})), ErrorCode::invalid_argument);
}

TEST(Recording, PoolsRepeatedRunsEachWithAWarmUpAndAClockOfItsOwn) {
    const auto once = make_recording({make_level(2, 10)}).value().levels.at(0);
    LevelTraces again = make_level(2, 10);
    again.repetition = 2;
    for (event::SessionTrace& session : again.sessions)
        for (event::Step& step : session.steps) step.payload.event_timestamp -= 500;  // it ran before the other
    const auto recording = make_recording({make_level(2, 10), again}).value();
    ASSERT_EQ(recording.levels.size(), 1u);
    const Level& level = recording.levels.at(0);
    EXPECT_EQ(level.lengths().size(), 2 * once.lengths().size());
    EXPECT_NEAR(level.p95(), once.p95(), 1e-6);
    EXPECT_EQ(level.calls.size(), 2 * once.calls.size());
    for (const ModelCall& call : level.calls) {
        const RecordedSession& session = level.sessions.at(static_cast<std::size_t>(call.session));
        EXPECT_GE(call.sent, session.start);
        EXPECT_LE(call.ended, session.end);
    }
    EXPECT_TRUE(std::ranges::is_sorted(level.sessions, {}, &RecordedSession::start));
    EXPECT_GE(level.duration, level.sessions.back().end);
    const auto single = make_recording({make_level(2, 10)}).value();
    EXPECT_NEAR(recording.think_time, single.think_time, 1e-9);  // the time between the runs is no pause of a user
}

TEST(Recording, SaysWhatCouldNotBeRead) {
    LevelTraces level = make_level(2, 20);
    level.skipped.add("damaged JSON", "byte 7", 3);
    const auto recording = make_recording({level}).value();
    EXPECT_THAT(recording.warnings, testing::Contains(testing::HasSubstr("3 x damaged JSON")));
}

TEST(Forecast, SaysWhereTheStepLawsPart) {
    ForecastResult result;
    result.forecasts.push_back({.users = 64, .workflow_p95 = {146, 131, 160}});
    result.forecasts.push_back({.users = 200, .workflow_p95 = {381, 306, 422}});
    result.forms = {
        {LawForm::table, 0.52, 0, {147, 387}}, {LawForm::roofline, 0.05, 0, {137, 296}}, {LawForm::linear, 0.43, 0, {147, 385}}};
    EXPECT_EQ(warn_of_forms(result),
              "with 200 users the step laws part: table 387 s (weight 0.52), roofline 296 s (weight 0.05), linear 385 s (weight 0.43); "
              "the measured levels hardly tell them apart, a higher one would");
    result.forms[1].weight = 0.01;  // refuted
    EXPECT_EQ(warn_of_forms(result), std::nullopt);
    EXPECT_EQ(warn_of_forms({}), std::nullopt);
}

TEST(Recording, WeighsPercentilesLikeRepeatedValues) {
    EXPECT_EQ(weighted_percentile({}, 95), 0);
    EXPECT_DOUBLE_EQ(weighted_percentile({{1, 1}, {2, 1}, {3, 1}}, 50), 2);
    EXPECT_DOUBLE_EQ(weighted_percentile({{3, 1}, {1, 1}, {2, 1}}, 95), 2.9);
    EXPECT_GT(weighted_percentile({{1, 1}, {2, 5}}, 30), weighted_percentile({{1, 5}, {2, 1}}, 30) - 1e-12);
}

}  // namespace
}  // namespace plimsoll::forecast
