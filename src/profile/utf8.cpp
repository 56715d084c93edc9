#include "profile/utf8.h"

namespace plimsoll::profile {

CodePoint decode_utf8(std::string_view text, std::size_t at) {
    constexpr CodePoint kBad{0xfffd, 1};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at);
    if (first < 0x80) return {first, 1};
    const std::size_t length = first >> 5 == 0x6 ? 2 : first >> 4 == 0xe ? 3 : first >> 3 == 0x1e ? 4 : 0;
    if (length == 0 || at + length > text.size()) return kBad;
    char32_t value = first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (byte(at + i) >> 6 != 0x2) return kBad;
        value = value << 6 | (byte(at + i) & 0x3fu);
    }
    return {value, length};
}

std::size_t count_code_points(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); ++count) at += decode_utf8(text, at).length;
    return count;
}

std::string_view first_code_points(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < count && at < text.size(); ++i) at += decode_utf8(text, at).length;
    return text.substr(0, at);
}

}  // namespace plimsoll::profile
