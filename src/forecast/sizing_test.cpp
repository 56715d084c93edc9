#include "forecast/sizing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/files.h"
#include "forecast/calc_output.h"
#include "forecast/sizing_table.h"

namespace plimsoll::forecast {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string load_golden(const std::string& file) {
    auto text = load_file(std::string(PLIMSOLL_SOURCE_DIR) + "/tests/goldens/" + file);
    EXPECT_TRUE(text.has_value()) << file;
    return text.value_or("");
}

json::value load_golden_json(const std::string& file) {
    auto value = parse_json(load_golden(file));
    EXPECT_TRUE(value.has_value()) << file;
    return value.value_or(nullptr);
}

std::vector<LegResult> load_legs(const std::string& file) {
    auto legs = parse_calc_output(load_golden_json(file));
    EXPECT_TRUE(legs.has_value()) << file;
    return legs.value_or(std::vector<LegResult>());
}

// The first place where a number, a member or a value of NAT's file is not in ours; members of ours are free.
std::string find_missing(const json::value& expected, const json::value& actual, const std::string& place = "$") {
    if (expected.is_number() && actual.is_number()) {
        const double a = expected.to_number<double>(), b = actual.to_number<double>();
        return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(a)) ? "" : place;
    }
    if (const auto* object = expected.if_object()) {
        for (const auto& [key, value] : *object) {
            const auto* other = find(actual, key);
            std::string inner = place + "." + std::string(key);
            if (!other) return inner;
            if (auto missing = find_missing(value, *other, inner); !missing.empty()) return missing;
        }
        return "";
    }
    return expected == actual ? "" : place;
}

LegResult leg(int concurrency, double latency, double runtime) {
    return {.concurrency = concurrency, .llm_latency_p95 = latency, .workflow_runtime_p95 = runtime, .sessions = 100};
}

TEST(SizingGoldenTest, SmallOffline) {
    const auto result = compute_sizing({.legs = load_legs("nat-small/sizing/online_input_calc_runner_output.json"),
                                        .targets = {0.85, 2.0, 100},
                                        .gpus = 8,
                                        .rules = FitRules::nat});
    EXPECT_EQ(find_missing(load_golden_json("nat-small/sizing/offline_calc_runner_output.json"), to_json(result)), "");
}

TEST(SizingGoldenTest, RecordedOffline) {
    const SizingInput input = {.legs = load_legs("nat/sizing_offline_a/online_calc_runner_output.json"), .targets = {2, 3, 100}, .gpus = 8};
    for (const FitRules rules : {FitRules::nat, FitRules::plimsoll}) {
        SizingInput with_rules = input;
        with_rules.rules = rules;
        const auto result = compute_sizing(with_rules);
        EXPECT_EQ(find_missing(load_golden_json("nat/sizing_offline_a/offline_calc_runner_output.json"), to_json(result)), "");
        const std::string printed = load_golden("nat/sizing_offline_a/stdout.txt");
        EXPECT_EQ(sizing_table(result), printed.substr(0, printed.find('\x1b')));  // NAT resets the terminal's colours at the end
    }
}

TEST(SizingGoldenTest, InfeasibleTargetKeepsEverythingElse) {
    const auto result =
        compute_sizing({.legs = load_legs("nat/sizing_offline_a/online_calc_runner_output.json"), .targets = {0.2, 3, 100}, .gpus = 8});
    EXPECT_FALSE(result.llm_latency.estimate.has_value());
    EXPECT_FALSE(result.llm_latency.reason.empty());
    ASSERT_TRUE(result.workflow_runtime.estimate.has_value());
    EXPECT_NEAR(result.workflow_runtime.estimate->gpus, 23.541205550464046, 1e-9);
    EXPECT_TRUE(to_json(result).at("gpu_estimates").at("gpu_estimate_by_llm_latency").is_null());
    EXPECT_THAT(sizing_table(result), HasSubstr("Estimated GPU count (Workflow Runtime): 23.5\n"));
    EXPECT_THAT(sizing_table(result), Not(HasSubstr("Estimated GPU count (LLM Latency)")));
    EXPECT_THAT(sizing_notes(result), HasSubstr(result.llm_latency.reason));
}

TEST(SizingTest, AnInterruptedLegIsMarked) {
    auto interrupted = leg(3, 30, 300);
    interrupted.interrupted = true;
    const auto result = compute_sizing({{leg(1, 10, 100), leg(2, 20, 200), interrupted}, {20, 200, 10}, 1, FitRules::nat});
    EXPECT_THAT(sizing_table(result), HasSubstr("| !W       |             3 |"));
}

TEST(SizingTest, WithoutUsersOrTargetsThereAreFitsButNoEstimates) {
    for (const Targets& targets : {Targets{2, 3, 0}, Targets{0, 0, 100}}) {
        const auto result = compute_sizing({.legs = {leg(1, 1, 2), leg(2, 2, 3)}, .targets = targets, .gpus = 8});
        EXPECT_TRUE(result.llm_latency.fit.has_value());
        EXPECT_FALSE(result.llm_latency.estimate.has_value());
        EXPECT_TRUE(result.llm_latency.reason.empty());
        EXPECT_FALSE(result.legs[0].gpus_by_llm_latency.has_value());
    }
}

TEST(SizingTest, OneTargetGivesOneEstimate) {
    const auto result = compute_sizing({.legs = {leg(2, 10, 100), leg(4, 20, 200)}, .targets = {20, 0, 10}, .gpus = 4});
    EXPECT_DOUBLE_EQ(*result.legs[0].gpus_by_llm_latency, 10);
    EXPECT_FALSE(result.legs[0].gpus_by_workflow_runtime.has_value());
    EXPECT_THAT(sizing_table(result), Not(HasSubstr("GPUs (WF Runtime, Rough)")));
}

TEST(SizingTest, NothingUsable) {
    const auto result = compute_sizing({.legs = {leg(1, 0, 2)}, .targets = {2, 3, 100}, .gpus = 8});
    EXPECT_FALSE(result.legs[0].usable);
    EXPECT_FALSE(result.llm_latency.fit.has_value());
    EXPECT_FALSE(result.llm_latency.reason.empty());
    EXPECT_THAT(sizing_table(result), HasSubstr("|             1 |"));
    const auto empty = compute_sizing({.targets = {2, 3, 100}, .gpus = 8});
    EXPECT_TRUE(empty.legs.empty());
    EXPECT_THAT(sizing_table(empty), HasSubstr("Concurrency"));
    EXPECT_TRUE(to_json(empty).at("calc_data").as_object().empty());
}

TEST(SizingTest, FlatCurveSaysCapacityNotReached) {
    const auto result =
        compute_sizing({.legs = {leg(1, 1, 2), leg(2, 1, 2), leg(4, 1, 2), leg(8, 1, 2)}, .targets = {2, 0, 64}, .gpus = 1});
    ASSERT_TRUE(result.llm_latency.estimate.has_value());
    EXPECT_TRUE(result.llm_latency.estimate->capacity_not_reached);
    EXPECT_DOUBLE_EQ(result.llm_latency.estimate->gpus, 8);
    const json::value output = to_json(result);
    EXPECT_TRUE(output.at("gpu_estimates").at("gpu_estimate_by_llm_latency").is_null());
    EXPECT_EQ(output.at("plimsoll").at("llm_latency").at("gpus_at_most").to_number<double>(), 8);
    EXPECT_THAT(sizing_notes(result), HasSubstr("at most 8.0 GPUs"));
}

TEST(SizingTest, HighestLegIsHeldOut) {
    // The line through 1, 2 and 4 says 2.0 s at 8; saturation made it 4 s.
    const auto result = compute_sizing({.legs = {leg(1, 1.3, 1.3), leg(8, 4, 4), leg(2, 1.4, 1.4), leg(4, 1.6, 1.6)}});
    ASSERT_TRUE(result.llm_latency.held_out.has_value());
    EXPECT_EQ(result.llm_latency.held_out->concurrency, 8);
    EXPECT_NEAR(result.llm_latency.held_out->predicted, 2.0, 1e-9);
    EXPECT_NEAR(result.llm_latency.held_out->relative_error(), -0.5, 1e-9);
    EXPECT_FALSE(compute_sizing({.legs = {leg(1, 1, 1), leg(2, 2, 2), leg(4, 4, 4)}}).llm_latency.held_out.has_value());
}

TEST(SizingTest, SaysHowFarTheAnswerReaches) {
    SizingInput input = {.legs = {leg(1, 1, 2), leg(32, 10, 20)}, .targets = {5, 30, 100}, .gpus = 8};
    const auto beyond = compute_sizing(input);
    EXPECT_THAT(beyond.extrapolation, HasSubstr("3.1 times the highest measured concurrency (32)"));
    EXPECT_THAT(beyond.extrapolation, HasSubstr("inside the measured range"));
    EXPECT_THAT(beyond.extrapolation, HasSubstr("beyond the measured range"));
    input.targets.users = 20;
    EXPECT_THAT(compute_sizing(input).extrapolation, HasSubstr("within the measured range"));
}

TEST(SizingTest, WarnsOfFewSamplesAndFailures) {
    auto small = leg(1, 1, 2);
    small.sessions = 58;
    auto failed = leg(2, 2, 3);
    failed.failed = 3;
    const auto result = compute_sizing({.legs = {small, failed}});
    ASSERT_EQ(result.warnings.size(), 2u);
    EXPECT_THAT(result.warnings[0], HasSubstr("1 (58)"));
    EXPECT_THAT(result.warnings[1], HasSubstr("2 (3 of 100)"));
}

TEST(CalcOutputTest, SessionsAndFailuresComeBack) {
    auto first = leg(2, 1, 2);
    first.failed = 4;
    first.items["a"] = {0.5, 1.5};
    first.interrupted = true;
    const auto legs = parse_calc_output(to_json(compute_sizing({.legs = {first}})));
    ASSERT_TRUE(legs.has_value());
    ASSERT_EQ(legs->size(), 1u);
    const LegResult& back = legs->front();
    EXPECT_EQ(back.concurrency, 2);
    EXPECT_EQ(back.sessions, 100);
    EXPECT_EQ(back.failed, 4);
    EXPECT_TRUE(back.interrupted);
    EXPECT_EQ(back.items.at("a").workflow_runtime, 1.5);
}

TEST(CalcOutputTest, GarbageIsAnError) {
    const json::value cases[] = {nullptr,
                                 json::array(),
                                 {{"calc_data", 3}},
                                 {{"calc_data", {{"many", json::object()}}}},
                                 {{"calc_data", {{"-1", {{"sizing_metrics", json::object()}}}}}},
                                 {{"calc_data", {{"1", nullptr}}}},
                                 {{"calc_data", {{"1", {{"sizing_metrics", {{"llm_latency_p95", "fast"}}}}}}}}};
    for (const auto& garbage : cases) {
        const auto legs = parse_calc_output(garbage);
        ASSERT_FALSE(legs.has_value()) << to_compact_json(garbage);
        EXPECT_EQ(legs.error().code, ErrorCode::parse);
    }
}

TEST(CalcOutputTest, MissingMetricsReadAsNotMeasured) {
    const auto legs = parse_calc_output({{"calc_data", {{"4", {{"sizing_metrics", {{"llm_latency_p95", nullptr}}}}}}}});
    ASSERT_TRUE(legs.has_value());
    EXPECT_EQ(legs->front().llm_latency_p95, 0);
}

}  // namespace
}  // namespace plimsoll::forecast
