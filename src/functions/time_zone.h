// The offset of a time zone at a moment, from the system's zone files (TZif, RFC 8536) and the rule at their end (POSIX TZ). libstdc++ 12
// has no time zones, and localtime() knows only the zone of the environment, which a program with threads cannot change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::functions {

// Seconds east of UTC at `epoch_seconds` in a zone such as "Europe/Berlin". Errors: not_found, io, parse.
Result<int> utc_offset(const std::string& zone, std::int64_t epoch_seconds);

// The same from the bytes of a zone file. Nothing when they are damaged.
std::optional<int> utc_offset_in(std::string_view file, std::int64_t epoch_seconds);

// The same by a rule such as "CET-1CEST,M3.5.0,M10.5.0/3". Nothing when it is none.
std::optional<int> utc_offset_by_rule(std::string_view rule, std::int64_t epoch_seconds);

}  // namespace plimsoll::functions
