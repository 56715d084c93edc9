#include "base/clock.h"

#include <fmt/chrono.h>

#include <cmath>

namespace plimsoll {

WallClock system_clock() {
    const double start_wall = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto start_steady = std::chrono::steady_clock::now();
    return [=] { return start_wall + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_steady).count(); };
}

std::string to_iso8601(double epoch_seconds) {
    const double whole = std::floor(epoch_seconds);
    const auto micros = static_cast<long>((epoch_seconds - whole) * 1e6);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06d}+00:00", fmt::gmtime(static_cast<std::time_t>(whole)), micros);
}

Deadline Deadline::after(Clock::duration span) {
    const auto now = Clock::now();
    // A span beyond the clock's range means "never".
    if (span > Clock::time_point::max() - now) return {};
    return Deadline(now + span);
}

Deadline::Clock::duration Deadline::left() const {
    if (!point_) return Clock::duration::max();
    return std::max(Clock::duration::zero(), *point_ - Clock::now());
}

Deadline Deadline::earlier(const Deadline& other) const {
    if (!point_) return other;
    if (!other.point_) return *this;
    return *point_ < *other.point_ ? *this : other;
}

}  // namespace plimsoll
