#include "profile/pickle.h"

#include <bit>
#include <limits>

namespace plimsoll::profile {
namespace {

// Opcodes of pickletools.
constexpr char kProto = '\x80', kStop = '.', kNone = 'N', kTrue = '\x88', kFalse = '\x89', kInt32 = 'J', kLong1 = '\x8a', kFloat = 'G',
               kUnicode = 'X', kEmptyList = ']', kEmptyDict = '}', kMark = '(', kAppends = 'e', kSetItems = 'u';

void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

void append_text(std::string& out, std::string_view text) {
    out += kUnicode;
    append_little_endian(out, text.size(), 4);
    out += text;
}

void append_integer(std::string& out, std::int64_t value) {
    const bool is_short = value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max();
    out += is_short ? kInt32 : kLong1;
    if (!is_short) out += '\x08';  // bytes of a two's complement number
    append_little_endian(out, static_cast<std::uint64_t>(value), is_short ? 4 : 8);
}

void append_number(std::string& out, const json::value& value) {
    if (value.is_int64()) return append_integer(out, value.get_int64());
    if (value.is_uint64() && value.get_uint64() <= std::numeric_limits<std::int64_t>::max())
        return append_integer(out, static_cast<std::int64_t>(value.get_uint64()));
    out += kFloat;
    const auto bits = std::bit_cast<std::uint64_t>(value.to_number<double>());
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(bits >> shift);
}

void append(std::string& out, const json::value& value) {
    if (value.is_null()) {
        out += kNone;
    } else if (value.is_bool()) {
        out += value.get_bool() ? kTrue : kFalse;
    } else if (value.is_number()) {
        append_number(out, value);
    } else if (const auto* text = value.if_string()) {
        append_text(out, *text);
    } else if (const auto* list = value.if_array()) {
        out += kEmptyList;
        out += kMark;
        for (const json::value& item : *list) append(out, item);
        out += kAppends;
    } else {
        out += kEmptyDict;
        out += kMark;
        for (const auto& [key, member] : value.get_object()) {
            append_text(out, key);
            append(out, member);
        }
        out += kSetItems;
    }
}

}  // namespace

std::string to_pickle(const json::value& value) {
    std::string out = {kProto, '\x02'};
    append(out, value);
    return out += kStop;
}

}  // namespace plimsoll::profile
