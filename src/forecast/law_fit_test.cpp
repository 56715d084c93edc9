#include "forecast/law_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace plimsoll::forecast {
namespace {

// Observed steps of a known law, with even noise of `noise` around it.
Observations make_steps(const StepLaw& law, double noise, std::uint64_t seed) {
    Random random(seed);
    const FitSettings settings{.replicas = 1, .max_num_seqs = 100, .max_batched_tokens = 1e6};
    Observations out;
    out.steps_rebuilt = true;
    out.clusters = 20;
    for (int i = 0; i < 2000; ++i) {
        Observation one;
        one.kind = Observation::Kind::step;
        one.n = std::floor(random.uniform(1, 13));
        one.context = one.n * random.uniform(500, 4000);
        if (i % 5 == 0) one.groups.push_back({random.uniform(100, 4000), 1});
        one.seconds = expected_seconds(law, one, settings) * random.uniform(1 - noise, 1 + noise);
        one.sd = 0.25;
        one.typical = 0.015;
        one.cluster = i % out.clusters;
        out.peak_n = std::max(out.peak_n, one.n);
        out.peak_context = std::max(out.peak_context, one.context);
        out.list.push_back(std::move(one));
    }
    for (int i = 0; i < 20; ++i) {
        Observation first;
        first.kind = Observation::Kind::first_token;
        first.groups.push_back({500, 1});
        first.seconds = 0.007 + expected_seconds(law, first, settings);
        first.cluster = i;
        out.list.push_back(std::move(first));
    }
    return out;
}

const FitSettings kSettings{.replicas = 1, .max_num_seqs = 100, .max_batched_tokens = 1e6};

StepLaw linear_law() {
    StepLaw law;
    law.form = LawForm::linear;
    law.a = 0.010;
    law.b = 2e-4;
    law.c = 5e-8;
    law.d = 8e-6;
    return law;
}

TEST(LawFit, RecoversALinearLaw) {
    const StepLaw truth = linear_law();
    const auto fit = LawFit::fit(LawForm::linear, make_steps(truth, 0.1, 1), kSettings).value();
    EXPECT_NEAR(fit.law().a, truth.a, 0.05 * truth.a);
    EXPECT_NEAR(fit.law().b, truth.b, 0.2 * truth.b);
    EXPECT_NEAR(fit.law().c, truth.c, 0.2 * truth.c);
    EXPECT_NEAR(fit.law().d, truth.d, 0.05 * truth.d);
    EXPECT_NEAR(fit.law().ingest, 0.007, 0.002);
}

TEST(LawFit, RecoversARoofline) {
    StepLaw truth = linear_law();
    truth.form = LawForm::roofline;
    truth.b = 0;
    const auto fit = LawFit::fit(LawForm::roofline, make_steps(truth, 0.1, 2), kSettings).value();
    EXPECT_NEAR(fit.law().a, truth.a, 0.03 * truth.a);
    EXPECT_NEAR(fit.law().c, truth.c, 0.1 * truth.c);
    EXPECT_NEAR(fit.law().d, truth.d, 0.03 * truth.d);
}

TEST(LawFit, TheTableFollowsAStaircase) {
    StepLaw truth = linear_law();
    truth.form = LawForm::table;
    truth.prompt_a = truth.a;
    truth.prompt_b = truth.b;
    truth.table = {0.01, 0.01, 0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.02, 0.03, 0.03, 0.03, 0.03, 0.03};
    const auto fit = LawFit::fit(LawForm::table, make_steps(truth, 0.05, 3), kSettings).value();
    for (const double n : {2.0, 4.0, 6.0, 8.0, 11.0})
        EXPECT_NEAR(fit.law().step_seconds(n, 2000 * n, 0, 0), truth.step_seconds(n, 2000 * n, 0, 0), 0.1 * truth.step_seconds(n, 0, 0, 0))
            << n;
}

TEST(LawFit, ResamplingTheSameGivesTheSameAndLessGivesNear) {
    const Observations steps = make_steps(linear_law(), 0.2, 4);
    const auto fit = LawFit::fit(LawForm::linear, steps, kSettings).value();
    const std::vector<double> all(static_cast<std::size_t>(steps.clusters), 1);
    EXPECT_NEAR(fit.resampled(all).a, fit.law().a, 1e-9);
    std::vector<double> half = all;
    for (std::size_t i = 0; i < half.size(); i += 2) half[i] = 0;
    EXPECT_NE(fit.resampled(half).a, fit.law().a);
    EXPECT_NEAR(fit.resampled(half).a, fit.law().a, 0.1 * fit.law().a);
}

TEST(LawFit, TooFewObservationsAreRefused) {
    Observations few = make_steps(linear_law(), 0.1, 5);
    few.list.resize(3);
    const auto fit = LawFit::fit(LawForm::linear, few, kSettings);
    ASSERT_FALSE(fit);
    EXPECT_EQ(fit.error().code, ErrorCode::invalid_argument);
}

TEST(StepLaw, ARooflineIsTheSlowerOfMemoryAndArithmetic) {
    StepLaw law;
    law.form = LawForm::roofline;
    law.a = 0.01;
    law.c = 1e-7;
    law.d = 1e-5;
    EXPECT_DOUBLE_EQ(law.step_seconds(10, 20'000, 0, 0), 0.012);
    EXPECT_DOUBLE_EQ(law.step_seconds(10, 20'000, 4000, 1), 0.0401);
    law.prompt_scale = 2;
    EXPECT_DOUBLE_EQ(law.step_seconds(10, 20'000, 4000, 1), 0.012 + 2 * (0.0401 - 0.012));
}

}  // namespace
}  // namespace plimsoll::forecast
