#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace plimsoll {
namespace {

using std::chrono::nanoseconds;

TEST(DurationHistogram, EmptyIsZero) {
    const DurationHistogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.percentile(99), 0);
    EXPECT_EQ(histogram.mean(), 0);
}

TEST(DurationHistogram, PercentilesStayWithinTheStatedErrorOverTwelveDecades) {
    Random random(1);
    std::vector<double> values;
    DurationHistogram histogram;
    for (int i = 0; i < 20'000; ++i) {
        const auto ns = static_cast<std::int64_t>(std::pow(10.0, random.uniform(0, 12)));
        values.push_back(1e-9 * static_cast<double>(ns));
        histogram.record(nanoseconds(ns));
    }
    std::ranges::sort(values);
    for (const double p : {0.0, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
        const auto rank = std::max(1.0, std::ceil(p / 100 * 20'000));
        const double exact = values[static_cast<std::size_t>(rank) - 1];
        EXPECT_NEAR(histogram.percentile(p), exact, exact * DurationHistogram::kMaxRelativeError * 1.0001) << p;
    }
}

TEST(DurationHistogram, ExtremesAreExactAndNegativeIsZero) {
    DurationHistogram histogram;
    histogram.record(nanoseconds(-5));
    histogram.record(nanoseconds(1'234'567'891));
    EXPECT_EQ(histogram.min(), 0);
    EXPECT_DOUBLE_EQ(histogram.max(), 1.234567891);
    EXPECT_DOUBLE_EQ(histogram.percentile(100), 1.234567891);
    histogram.record(nanoseconds::max());
    EXPECT_DOUBLE_EQ(histogram.max(), 1e-9 * static_cast<double>(nanoseconds::max().count()));
}

TEST(DurationHistogram, MergingEqualsRecordingTogether) {
    DurationHistogram one, two, both;
    for (int i = 1; i <= 1000; ++i) {
        (i % 3 == 0 ? one : two).record(nanoseconds(i * 7919));
        both.record(nanoseconds(i * 7919));
    }
    one.merge(two);
    one.merge(DurationHistogram());
    EXPECT_EQ(one.count(), both.count());
    EXPECT_DOUBLE_EQ(one.min(), both.min());
    EXPECT_DOUBLE_EQ(one.mean(), both.mean());
    for (const double p : {1.0, 50.0, 99.0}) EXPECT_DOUBLE_EQ(one.percentile(p), both.percentile(p));
}

}  // namespace
}  // namespace plimsoll
