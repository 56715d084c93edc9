// Code points of UTF-8 text, for the analyses that count characters or words.
#pragma once

#include <cstdint>
#include <string_view>

namespace plimsoll::profile {

struct CodePoint {
    char32_t value = 0;
    std::size_t length = 1;  // bytes
};

// The code point that begins at text[at]. A byte that begins no UTF-8 sequence stands for U+FFFD and is one byte long.
CodePoint decode_utf8(std::string_view text, std::size_t at);

std::size_t count_code_points(std::string_view text);

// The first `count` code points, or all of them.
std::string_view first_code_points(std::string_view text, std::size_t count);

}  // namespace plimsoll::profile
