// Time comes in as a parameter: code that needs "now" takes a Clock, so that a test decides what time it is.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace plimsoll {

// Seconds since the Unix epoch, as NAT's steps carry them.
using WallClock = std::function<double()>;

// Wall time read once at start and advanced by the steady clock: microsecond steps, never backwards.
WallClock system_clock();

// "2026-11-22T22:55:31.111717+00:00"
std::string to_iso8601(double epoch_seconds);

// A point on the steady clock by which something must have ended; a default one never passes.
class Deadline {
  public:
    using Clock = std::chrono::steady_clock;

    Deadline() = default;
    static Deadline after(Clock::duration span);
    static Deadline at(Clock::time_point point) { return Deadline(point); }

    bool is_set() const { return point_.has_value(); }
    bool passed() const { return point_ && Clock::now() >= *point_; }
    // Time left, never negative; Clock::duration::max() when not set.
    Clock::duration left() const;
    Deadline earlier(const Deadline& other) const;
    std::optional<Clock::time_point> point() const { return point_; }

  private:
    explicit Deadline(Clock::time_point point) : point_(point) {}
    std::optional<Clock::time_point> point_;
};

}  // namespace plimsoll
