// Prediction trie, sensitivities and token forecast; NAT's own figures are in nat_case_test.cpp.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "profile/prediction_trie.h"
#include "profile/token_forecast.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::ElementsAre;

std::vector<StepSpec> llm(const std::string& uuid, double start, double end, std::int64_t tokens = 0, const std::string& function = "agent",
                          const std::string& parent = "root") {
    return {
        {.type = "LLM_START", .time = start, .uuid = uuid, .name = "m", .parent = parent, .function = function},
        {.type = "LLM_END", .time = end, .uuid = uuid, .name = "m", .parent = parent, .function = function, .completion_tokens = tokens}};
}

event::SessionTrace join(const std::vector<std::vector<StepSpec>>& calls) {
    std::vector<StepSpec> all;
    for (const auto& call : calls) all.insert(all.end(), call.begin(), call.end());
    std::ranges::stable_sort(all, {}, &StepSpec::time);
    return make_session(all);
}

TEST(SlackTest, AgainstTheLongestCallBeside) { EXPECT_DOUBLE_EQ(compute_slack({1, 2}, {{0, 6}, {0.5, 5.5}}), 1 - 1.0 / 6); }

TEST(SlackTest, ParallelWeightLowersTheScoreOfACallWithSlack) {
    auto steps = join(
        {make_call("TOOL", "tool", 0.5, 5.5, "t", "func-1"), llm("a", 1, 2, 0, "agent", "func-1"), llm("b", 7, 8, 0, "agent", "func-1")});
    const std::vector<event::SessionTrace> sessions = {steps};
    const auto level = [&](double weight) {
        const auto trie = build_prediction_trie(sessions, {.sensitivity_scale = 100, .w_fanout = 0.01, .w_parallel = weight});
        return trie.by_call_index.at(1).latency_sensitivity;
    };
    EXPECT_EQ(level(0), 100);
    EXPECT_EQ(level(0.3), 1);
}

TEST(PredictionTrieTest, LookUpFallsBackToWhatIsKnown) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 2; ++i)
        sessions.push_back(join({llm("a", 0, 1, 1, "react"), llm("b", 2, 3, 1, "react"), llm("c", 4, 5, 1, "react"),
                                 llm("d", 6, 7, 1, "tool"), llm("e", 8, 9, 1, "tool")}));
    const auto trie = build_prediction_trie(sessions, {});
    const auto remaining = [&](std::vector<std::string> path, int index) {
        const Prediction* prediction = find_prediction(trie, path, index);
        return prediction ? prediction->remaining_calls.mean : -1;
    };
    EXPECT_EQ(remaining({"root", "react"}, 1), 4);
    EXPECT_EQ(remaining({"root", "react"}, 3), 2);
    EXPECT_EQ(remaining({"root", "tool"}, 1), 1);
    EXPECT_EQ(remaining({"root", "react", "deeper"}, 1), 4);
    EXPECT_EQ(remaining({"root", "react"}, 99), 3);  // any of its calls
    EXPECT_EQ(remaining({"nobody"}, 99), 2);         // any call at all
    EXPECT_EQ(find_prediction(TrieNode{}, std::vector<std::string>{"root"}, 1), nullptr);
}

TEST(PredictionTrieTest, AMissingSpanTimeIsTakenFromTheStart) {
    const std::vector<event::SessionTrace> sessions = {join({llm("a", 1000, 1003), llm("b", 1004, 1005), llm("c", 1006, 1007)})};
    const auto levels = [&](CallStarts starts) {
        std::vector<int> list;
        for (const auto& [index, prediction] : build_prediction_trie(sessions, {}, starts).by_call_index)
            list.push_back(prediction.latency_sensitivity.value_or(0));
        return list;
    };
    EXPECT_THAT(levels(CallStarts::paired), ElementsAre(5, 1, 1));
    EXPECT_THAT(levels(CallStarts::recorded), ElementsAre(3, 3, 3));  // NAT: all overlap since the epoch
}

TEST(PredictionTrieTest, FileOfAnEmptyRun) {
    const auto file = to_json(build_prediction_trie({}, {}), format_time(0));
    EXPECT_EQ(file.at("version").as_string(), "1.0");
    EXPECT_EQ(file.at("generated_at").as_string(), "1970-01-01T00:00:00.000000+00:00");
    EXPECT_TRUE(file.at("root").at("predictions_any_index").is_null());
}

TEST(PredictionTrieTest, TimesToTheMicrosecond) { EXPECT_EQ(format_time(1700000000.25), "2023-11-14T22:13:20.250000+00:00"); }

event::SessionTrace spend(Random& random, int calls) {
    std::vector<StepSpec> steps;
    double now = 100;
    for (int i = 0; i < calls; ++i) {
        const auto prompt = static_cast<std::int64_t>(random.uniform(10, 200));
        const std::string uuid = std::to_string(i);
        steps.push_back({.type = "LLM_START", .time = now, .uuid = uuid, .name = "m"});
        now += random.uniform(0.1, 1);
        steps.push_back(
            {.type = "LLM_END", .time = now, .uuid = uuid, .name = "m", .prompt_tokens = prompt, .completion_tokens = 2 * prompt + 5});
    }
    return make_session(steps);
}

TEST(TokenForecastTest, FindsALinearLaw) {
    Random random(5);
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 40; ++i) sessions.push_back(spend(random, 1 + i % 4));
    const auto forecast = forecast_tokens(make_run_graph(sessions));
    ASSERT_TRUE(forecast.has_value());
    EXPECT_EQ(forecast->calls, 100u);
    const TokenFit& completion = forecast->fits[0];
    EXPECT_NEAR(completion.coefficients[0], 5, 1e-6);
    EXPECT_NEAR(completion.coefficients[2], 2, 1e-6);
    EXPECT_NEAR(completion.held_out_error, 0, 1e-5);
    EXPECT_GT(completion.held_out_error_of_mean, 10);
}

TEST(TokenForecastTest, ConstantsAndZerosAreNoTrouble) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 6; ++i)
        sessions.push_back(make_session({{.type = "LLM_START", .time = 1, .uuid = "a"},
                                         {.type = "LLM_END", .time = 2, .uuid = "a", .prompt_tokens = 10, .completion_tokens = 7}}));
    const auto forecast = forecast_tokens(make_run_graph(sessions));
    ASSERT_TRUE(forecast.has_value());
    EXPECT_NEAR(forecast->fits[0].held_out_error, 0, 1e-9);
    EXPECT_EQ(forecast->fits[1].mean, 0);
}

TEST(TokenForecastTest, TooFewSessions) {
    Random random(5);
    const std::vector<event::SessionTrace> sessions = {spend(random, 9), {}};
    const auto forecast = forecast_tokens(make_run_graph(sessions));
    ASSERT_FALSE(forecast.has_value());
    EXPECT_EQ(forecast.error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace plimsoll::profile
