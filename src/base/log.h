// Diagnostics for people go to standard error through spdlog; results go to standard output. Secrets never go to either:
// pass text that may hold one through redact().
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

enum class LogLevel : unsigned char { debug, info, warning, error, off };

void set_log_level(LogLevel level);
void write_log(LogLevel level, std::string_view text);

// From now on everything from `level` up goes to this file besides, with time and level, a line each.
// Errors: io, no_space, not_found when it cannot be opened.
Result<void> add_log_file(const std::filesystem::path& path, LogLevel level, bool truncate);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
    write_log(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
    write_log(LogLevel::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
    write_log(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
}

// Masks the values of headers and fields that carry credentials ("authorization", "cookie", "api_key", …; any case).
bool is_secret_name(std::string_view name);
inline constexpr std::string_view kRedacted = "***";

// "http://user:password@host/x" -> "http://***@host/x"; any other text as it is.
std::string mask_url_password(std::string_view text);

}  // namespace plimsoll
