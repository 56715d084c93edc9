// JSON is Boost.JSON. Here is only what it lacks: parsing into a Result, indented output, and lookups that do not throw.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

namespace json = boost::json;

// Errors: parse, with line and column of the first bad byte. Nesting deeper than 64 is refused.
Result<json::value> parse_json(std::string_view text);

// The value at the beginning of `text`; whatever follows it is not looked at. `used` is where reading stopped: after the value, or at the
// first bad byte, which is the text's end when the value is cut off.
Result<json::value> parse_json_prefix(std::string_view text, std::size_t& used);

enum class Escape : std::uint8_t { ascii, utf8 };

// Two-space indentation like Python's json.dumps(indent=2). `ascii` escapes everything above 0x7f.
// Doubles are written in the shortest form that reads back equal ("1.5", "1795388151.351151"); NaN and infinities as null.
std::string to_pretty_json(const json::value& value, Escape escape = Escape::utf8);

// The same for a value that stands `depth` levels inside a text that is written piece by piece (json_stream.h).
void append_pretty_json(std::string& out, const json::value& value, int depth, Escape escape = Escape::utf8);

// One line, no spaces; same numbers.
std::string to_compact_json(const json::value& value);

// Null when `value` is no object or has no such key.
const json::value* find(const json::value& value, std::string_view key);
std::optional<std::string> get_string(const json::value& value, std::string_view key);
std::optional<double> get_number(const json::value& value, std::string_view key);  // integers too
std::optional<std::int64_t> get_int(const json::value& value, std::string_view key);

// Text of a JSON value for people: strings as they are, anything else compact.
std::string to_text(const json::value& value);

}  // namespace plimsoll
