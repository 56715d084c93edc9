// Durations as people write them on a command line: "250us", "1.5ms", "2s", "10m", "1h"; a bare number is seconds.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::load {

using Nanoseconds = std::chrono::nanoseconds;

// Errors: invalid_argument (no number, an unknown unit, negative, more than kMaxDuration).
inline constexpr std::chrono::hours kMaxDuration{24 * 365};
Result<Nanoseconds> parse_duration(std::string_view text);

inline double to_seconds(Nanoseconds span) { return std::chrono::duration<double>(span).count(); }
// Rounds to the nanosecond; the caller keeps it within kMaxDuration.
inline Nanoseconds from_seconds(double seconds) { return Nanoseconds(std::llround(seconds * 1e9)); }

// "850 µs", "12.3 ms", "1.25 s"
std::string duration_text(double seconds);

// Reads a leading number; `text` is left at what follows. Nothing when there is none.
std::optional<double> take_number(std::string_view& text);

}  // namespace plimsoll::load
