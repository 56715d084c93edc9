#include "load/duration_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace plimsoll::load {

std::optional<double> take_number(std::string_view& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

Result<Nanoseconds> parse_duration(std::string_view text) {
    constexpr std::pair<std::string_view, double> kUnits[] = {{"", 1},      {"ns", 1e-9}, {"us", 1e-6}, {"µs", 1e-6},
                                                              {"ms", 1e-3}, {"s", 1},     {"m", 60},    {"h", 3600}};
    std::string_view rest = text;
    const auto number = take_number(rest);
    if (number && *number >= 0)
        for (const auto& [unit, seconds] : kUnits)
            if (rest == unit && *number * seconds <= std::chrono::duration<double>(kMaxDuration).count())
                return from_seconds(*number * seconds);
    return fail(ErrorCode::invalid_argument, fmt::format("\"{}\" is no duration (like 250ms, 2s, 10m)", text));
}

std::string duration_text(double seconds) {
    if (seconds < 1e-3) return fmt::format("{:.0f} µs", seconds * 1e6);
    if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1e3);
    if (seconds < 600) return fmt::format("{:.4g} s", seconds);
    return fmt::format("{:.0f} min {:.0f} s", std::floor(seconds / 60), std::fmod(seconds, 60));
}

}  // namespace plimsoll::load
