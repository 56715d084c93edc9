#include "forecast/linear_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(GpuEstimateTest, FlatLineAboveTheTarget) {
    EXPECT_EQ(estimate_gpus({.intercept = 3, .flat = true}, 2, {100, 8}, 8).error().code, ErrorCode::limit);
}

TEST(GpuEstimateTest, FlatCurveGivesAnUpperBound) {
    const auto estimate = estimate_gpus({.intercept = 1, .flat = true}, 2, {100, 8}, 16);
    ASSERT_TRUE(estimate.has_value());
    EXPECT_TRUE(estimate->capacity_not_reached);
    EXPECT_DOUBLE_EQ(estimate->sessions_at_target, 16);
    EXPECT_DOUBLE_EQ(estimate->gpus, 50);
}

}  // namespace
}  // namespace plimsoll::forecast
