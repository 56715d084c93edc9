#include "forecast/linear_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "forecast/gpu_estimate.h"

namespace plimsoll::forecast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<FitPoint> points(std::vector<int> x, std::vector<double> y) {
    std::vector<FitPoint> out;
    out.reserve(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) out.push_back({x[i], y[i]});
    return out;
}

const std::vector<int> kLadder = {1, 2, 4, 8, 16, 32};
const std::vector<double> kLatencies = {1.14981, 1.3591, 1.50682, 2.10668, 3.30196, 6.57847};
const std::vector<double> kRuntimes = {4.03488, 4.71197, 5.67581, 7.90895, 12.677, 24.5307};

TEST(NatFitTest, MatchesRecordedVectors) {
    const auto text = load_file(std::string(PLIMSOLL_SOURCE_DIR) + "/tests/goldens/nat-small/sizing/numeric_cases.json");
    ASSERT_TRUE(text.has_value());
    const auto cases = parse_json(*text);
    ASSERT_TRUE(cases.has_value());
    int compared = 0;
    for (const auto& vector : cases->at("compute_slope").as_array()) {
        SCOPED_TRACE(to_compact_json(vector));
        const auto data = points(json::value_to<std::vector<int>>(vector.at("x")), json::value_to<std::vector<double>>(vector.at("y")));
        const auto fit = compute_slope(data, FitRules::nat);
        ++compared;
        if (find(vector, "error")) {
            ASSERT_FALSE(fit.has_value());
            EXPECT_EQ(fit.error().code, data.size() < 2 ? ErrorCode::invalid_argument : ErrorCode::limit);
            continue;
        }
        ASSERT_TRUE(fit.has_value());
        const json::value& expected = vector.at("fit");
        EXPECT_NEAR(fit->slope, expected.at("slope").to_number<double>(), 1e-9);
        EXPECT_NEAR(fit->intercept, expected.at("intercept").to_number<double>(), 1e-9);
        EXPECT_NEAR(fit->r_squared, expected.at("r_squared").to_number<double>(), 1e-9);
        std::vector<int> removed;
        for (const auto& x : expected.at("outliers_removed").as_array()) removed.push_back(x.to_number<int>());
        EXPECT_EQ(fit->outliers_removed, removed);
    }
    EXPECT_GE(compared, 15);
}

TEST(NatFitTest, DropsTheHighestLoadByRawY) {
    const auto fit = compute_slope(points(kLadder, kLatencies), FitRules::nat);
    ASSERT_TRUE(fit.has_value());
    EXPECT_THAT(fit->outliers_removed, ElementsAre(32));
    EXPECT_NEAR(fit->slope, 0.1421303495, 1e-9);
}

TEST(NatFitTest, FlatCurveIsAPoorFit) {
    EXPECT_EQ(compute_slope(points({1, 2, 3}, {1, 1, 1}), FitRules::nat).error().code, ErrorCode::limit);
}

TEST(FitTest, KeepsTheHighestLoad) {
    const auto fit = compute_slope(points(kLadder, kLatencies));
    ASSERT_TRUE(fit.has_value());
    EXPECT_THAT(fit->outliers_removed, IsEmpty());
    EXPECT_GT(fit->slope, 0.16);  // the saturation at 32 shows in the slope
}

TEST(FitTest, PerfectLineLosesNoPoint) {
    const auto fit = compute_slope(points({1, 2, 3, 4, 5, 6}, {1.0, 1.2, 1.4, 1.6, 1.8, 2.0}));
    ASSERT_TRUE(fit.has_value());
    EXPECT_THAT(fit->outliers_removed, IsEmpty());
    EXPECT_NEAR(fit->slope, 0.2, 1e-12);
    EXPECT_FALSE(fit->flat);
}

TEST(FitTest, ResidualOutlierInTheMiddleGoes) {
    const auto fit = compute_slope(points({1, 2, 3, 4, 5, 6}, {1, 1.2, 9, 1.6, 1.8, 2}));
    ASSERT_TRUE(fit.has_value());
    EXPECT_THAT(fit->outliers_removed, ElementsAre(3));
    EXPECT_NEAR(fit->slope, 0.2, 1e-9);
}

TEST(FitTest, FlatAndFallingCurvesAreAnswers) {
    for (const auto& y : {std::vector<double>{1, 1, 1}, {1, 1.01, 0.99}, {3, 2, 1}}) {
        const auto fit = compute_slope(points({1, 2, 4}, y));
        ASSERT_TRUE(fit.has_value());
        EXPECT_TRUE(fit->flat);
    }
}

TEST(FitTest, ScatterIsAPoorFit) { EXPECT_EQ(compute_slope(points({1, 2, 4, 8}, {1, 1.1, 5, 1.7})).error().code, ErrorCode::limit); }

TEST(FitTest, NeedsTwoConcurrencies) {
    EXPECT_EQ(compute_slope({}).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(compute_slope(points({1}, {1})).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(compute_slope(points({4, 4, 4}, {1, 2, 3})).error().code, ErrorCode::invalid_argument);
}

double gpus(double target, int users, int test_gpus, double slope, double intercept) {
    const auto estimate = estimate_gpus({.slope = slope, .intercept = intercept}, target, {users, test_gpus}, 8);
    return estimate ? estimate->gpus : -1;
}

TEST(GpuEstimateTest, LineGivesSessionsAndGpus) {
    EXPECT_NEAR(gpus(5, 100, 8, 0.5, 1), 100, 1e-9);
    EXPECT_NEAR(gpus(20, 10, 1, 10, 0), 5, 1e-9);
    EXPECT_NEAR(gpus(20, 10, 1, 45, -40), 7.5, 1e-9);
    EXPECT_NEAR(gpus(200, 10, 1, 220, -140), 6.470588235294118, 1e-9);
    const auto documented = compute_slope(points(kLadder, kRuntimes), FitRules::nat);
    ASSERT_TRUE(documented.has_value());
    EXPECT_NEAR(estimate_gpus(*documented, 10, {100, 8}, 32)->gpus, 75.35159084873075, 1e-6);
}

TEST(GpuEstimateTest, TargetsThatNothingMeets) {
    EXPECT_EQ(estimate_gpus({.slope = 0.5, .intercept = 1}, 1, {100, 8}, 8).error().code, ErrorCode::limit);
    EXPECT_EQ(estimate_gpus({.slope = -0.5, .intercept = 1}, 5, {100, 8}, 8).error().code, ErrorCode::limit);
    EXPECT_EQ(estimate_gpus({.intercept = 3, .flat = true}, 2, {100, 8}, 8).error().code, ErrorCode::limit);
}

TEST(GpuEstimateTest, FlatCurveGivesAnUpperBound) {
    const auto estimate = estimate_gpus({.intercept = 1, .flat = true}, 2, {100, 8}, 16);
    ASSERT_TRUE(estimate.has_value());
    EXPECT_TRUE(estimate->capacity_not_reached);
    EXPECT_DOUBLE_EQ(estimate->sessions_at_target, 16);
    EXPECT_DOUBLE_EQ(estimate->gpus, 50);
}

TEST(GpuEstimateTest, RoughEstimateScalesOneLeg) {
    EXPECT_NEAR(*rough_gpus(10, 20, 1, {10, 1}), 5, 1e-9);
    EXPECT_NEAR(*rough_gpus(100, 200, 1, {10, 1}), 5, 1e-9);
    EXPECT_NEAR(*rough_gpus(20, 20, 2, {10, 1}), 5, 1e-9);
    EXPECT_NEAR(*rough_gpus(10, 20, 2, {10, 4}), 10, 1e-9);
    EXPECT_FALSE(rough_gpus(10, 0, 2, {10, 4}).has_value());
}

}  // namespace
}  // namespace plimsoll::forecast
