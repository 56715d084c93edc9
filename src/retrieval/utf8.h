// Bytes from files are not always the UTF-8 that they should be; everything past extraction may rely on it.
#pragma once

#include <string>
#include <string_view>

namespace plimsoll::retrieval {

// Each byte that starts no valid sequence (overlong forms and surrogates are none) becomes one U+FFFD; a leading byte order mark
// is dropped.
std::string repair_utf8(std::string_view bytes);
bool is_valid_utf8(std::string_view bytes);

// The largest position <= `at` that does not fall inside a code point.
std::size_t code_point_boundary(std::string_view text, std::size_t at);

}  // namespace plimsoll::retrieval
