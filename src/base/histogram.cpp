#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace plimsoll {
namespace {

constexpr int kSub = 1 << DurationHistogram::kSubBits;
constexpr double kNanosecond = 1e-9;

// Values below kSub have a bucket each; above, bucket = (doubling, next kSubBits bits).
std::size_t bucket_of(std::uint64_t ns) {
    if (ns < kSub) return static_cast<std::size_t>(ns);
    const int doubling = std::bit_width(ns) - 1 - DurationHistogram::kSubBits;
    return static_cast<std::size_t>(doubling) * kSub + static_cast<std::size_t>(ns >> doubling);
}

double middle_of(std::size_t bucket) {
    if (bucket < kSub) return static_cast<double>(bucket);
    const std::size_t doubling = bucket / kSub - 1;
    const auto low = static_cast<double>(bucket - doubling * kSub);
    return std::ldexp(low + 0.5, static_cast<int>(doubling));
}

}  // namespace

void DurationHistogram::record(std::chrono::nanoseconds value) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count()));
    const std::size_t bucket = bucket_of(ns);
    if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
    ++buckets_[bucket];
    min_ns_ = count_ == 0 ? ns : std::min(min_ns_, ns);
    max_ns_ = std::max(max_ns_, ns);
    sum_ns_ += static_cast<double>(ns);
    ++count_;
}

void DurationHistogram::merge(const DurationHistogram& other) {
    if (other.count_ == 0) return;
    if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
    for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
    max_ns_ = std::max(max_ns_, other.max_ns_);
    sum_ns_ += other.sum_ns_;
    count_ += other.count_;
}

double DurationHistogram::percentile(double p) const {
    if (count_ == 0) return 0;
    const double wanted = std::ceil(static_cast<double>(count_) * std::clamp(p, 0.0, 100.0) / 100);
    const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < buckets_.size() && (seen += buckets_[bucket]) < rank) ++bucket;
    return kNanosecond * std::clamp(middle_of(bucket), static_cast<double>(min_ns_), static_cast<double>(max_ns_));
}

double DurationHistogram::mean() const { return count_ == 0 ? 0 : kNanosecond * sum_ns_ / static_cast<double>(count_); }

double DurationHistogram::min() const { return kNanosecond * static_cast<double>(min_ns_); }

double DurationHistogram::max() const { return kNanosecond * static_cast<double>(max_ns_); }

}  // namespace plimsoll
