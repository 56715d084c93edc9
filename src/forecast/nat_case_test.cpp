// NAT 1.9.0's sizing arithmetic, case by case from tests/data/nat_cases: what NAT printed for these figures.
#include <gtest/gtest.h>

#include "base/test_cases.h"
#include "forecast/sizing.h"

namespace plimsoll::forecast {
namespace {

constexpr double kTolerance = 1e-9;

bool is_error(const json::value& expected) { return expected.is_string(); }

double number(const json::value& of, const char* key) { return get_number(of, key).value_or(0); }
int whole(const json::value& of, const char* key) { return static_cast<int>(get_int(of, key).value_or(0)); }

class SlopeCase : public testing::TestWithParam<TestCase> {};

TEST_P(SlopeCase, IsNats) {
    const auto x = json::value_to<std::vector<int>>(GetParam().input.at("x"));
    const auto y = json::value_to<std::vector<double>>(GetParam().input.at("y"));
    std::vector<FitPoint> points;
    for (std::size_t i = 0; i < x.size(); ++i) points.push_back({x[i], y[i]});
    const auto fit = compute_slope(points, FitRules::nat);
    const json::value& expected = GetParam().expected;
    ASSERT_EQ(fit.has_value(), !is_error(expected));
    if (!fit) {
        EXPECT_EQ(fit.error().code, points.size() < 2 ? ErrorCode::invalid_argument : ErrorCode::limit);
        return;
    }
    EXPECT_NEAR(fit->slope, number(expected, "slope"), kTolerance);
    EXPECT_NEAR(fit->intercept, number(expected, "intercept"), kTolerance);
    EXPECT_NEAR(fit->r_squared, number(expected, "r_squared"), kTolerance);
    EXPECT_EQ(fit->outliers_removed, json::value_to<std::vector<int>>(expected.at("outliers_removed")));
}

INSTANTIATE_TEST_SUITE_P(Nat, SlopeCase, testing::ValuesIn(load_test_cases("nat_cases/slope")), case_name);

class GpuEstimateCase : public testing::TestWithParam<TestCase> {};

TEST_P(GpuEstimateCase, IsNats) {
    const json::value& input = GetParam().input;
    const LinearFit fit{.slope = number(input, "slope"), .intercept = number(input, "intercept")};
    const auto estimate = estimate_gpus(fit, number(input, "target"), {whole(input, "users"), whole(input, "gpus")}, 8);
    ASSERT_EQ(estimate.has_value(), !is_error(GetParam().expected));
    if (estimate)
        EXPECT_NEAR(estimate->gpus, GetParam().expected.to_number<double>(), kTolerance);
    else
        EXPECT_EQ(estimate.error().code, ErrorCode::limit);
}

INSTANTIATE_TEST_SUITE_P(Nat, GpuEstimateCase, testing::ValuesIn(load_test_cases("nat_cases/gpu_estimate")), case_name);

class SizingRunnerCase : public testing::TestWithParam<TestCase> {
  protected:
    static SizingInput read(const json::value& input) {
        SizingInput out{
            .targets = {number(input, "llm_latency"), number(input, "workflow_runtime"), whole(input, "users")},
            .gpus = whole(input, "gpus"),
            .rules = FitRules::nat,
        };
        for (const json::value& leg : input.at("legs").as_array())
            out.legs.push_back({.concurrency = whole(leg, "concurrency"),
                                .llm_latency_p95 = number(leg, "llm_latency"),
                                .workflow_runtime_p95 = number(leg, "workflow_runtime"),
                                .interrupted = leg.at("interrupted").as_bool()});
        return out;
    }

    static void expect_same(const json::value& expected, const std::optional<double>& actual) {
        ASSERT_EQ(actual.has_value(), !expected.is_null());
        if (actual) EXPECT_NEAR(*actual, expected.to_number<double>(), kTolerance);
    }
};

TEST_P(SizingRunnerCase, IsNats) {
    const SizingResult result = compute_sizing(read(GetParam().input));
    const json::array& rough = GetParam().expected.at("rough").as_array();
    ASSERT_EQ(rough.size(), result.legs.size());
    for (std::size_t i = 0; i < rough.size(); ++i) {
        expect_same(rough[i].at(0), result.legs[i].gpus_by_llm_latency);
        expect_same(rough[i].at(1), result.legs[i].gpus_by_workflow_runtime);
    }
    const auto* estimates = find(GetParam().expected, "estimates");
    ASSERT_EQ(result.llm_latency.estimate.has_value(), estimates != nullptr);
    if (!estimates) return;
    EXPECT_NEAR(result.llm_latency.estimate->gpus, number(*estimates, "llm_latency"), kTolerance);
    EXPECT_NEAR(result.workflow_runtime.estimate->gpus, number(*estimates, "workflow_runtime"), kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Nat, SizingRunnerCase, testing::ValuesIn(load_test_cases("nat_cases/sizing_runner")), case_name);

}  // namespace
}  // namespace plimsoll::forecast
