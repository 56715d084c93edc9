// Counts of durations in buckets that grow with the value: 128 to each doubling, so that a percentile is off by at most 0.4 % however
// many values there are, and histograms of several threads or intervals add up exactly. A few kilobytes, grown as needed.
// A value type; not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace plimsoll {

class DurationHistogram {
  public:
    // Half a bucket over its lower edge: 1 / 2^(kSubBits + 1).
    static constexpr int kSubBits = 7;
    static constexpr double kMaxRelativeError = 1.0 / (2 << kSubBits);

    void record(std::chrono::nanoseconds value);  // a negative value counts as zero
    void merge(const DurationHistogram& other);

    std::uint64_t count() const { return count_; }
    // Seconds; 0 when nothing was recorded. `p` in [0, 100]: the smallest recorded value that at least p % of all do not exceed
    // (nearest rank), as its bucket's middle, never outside [min, max].
    double percentile(double p) const;
    double mean() const;
    double min() const;
    double max() const;

  private:
    std::vector<std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
    double sum_ns_ = 0;
    std::uint64_t min_ns_ = 0, max_ns_ = 0;
};

}  // namespace plimsoll
