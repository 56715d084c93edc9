#include "profile/python_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "profile/utf8.h"

namespace plimsoll::profile {
namespace {

// Controls, separators but the plain space, format characters and private use: what Python's isprintable() refuses. Code
// points that Unicode has not assigned are taken for printable.
bool is_printable(char32_t c) {
    struct Block {
        char32_t first, last;
    };
    constexpr std::array<Block, 21> kHidden = {
        {{0x0, 0x1f},        {0x7f, 0xa0},       {0xad, 0xad},       {0x600, 0x605},   {0x61c, 0x61c},   {0x6dd, 0x6dd},
         {0x70f, 0x70f},     {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f},
         {0x205f, 0x206f},   {0x3000, 0x3000},   {0xd800, 0xf8ff},   {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0x110bd, 0x110bd},
         {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff}}};
    return std::ranges::none_of(kHidden, [c](const Block& block) { return c >= block.first && c <= block.last; });
}

void append_escape(std::string& out, char32_t c) {
    const auto number = static_cast<unsigned>(c);
    if (c == '\n')
        out += "\\n";
    else if (c == '\r')
        out += "\\r";
    else if (c == '\t')
        out += "\\t";
    else if (c < 0x100)
        out += fmt::format("\\x{:02x}", number);
    else if (c < 0x10000)
        out += fmt::format("\\u{:04x}", number);
    else
        out += fmt::format("\\U{:08x}", number);
}

void append_string(std::string& out, std::string_view text) {
    const char quote = text.contains('\'') && !text.contains('"') ? '"' : '\'';
    out += quote;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = decode_utf8(text, at);
        if (c.value == static_cast<char32_t>(quote) || c.value == '\\') out += '\\';
        if (is_printable(c.value))
            out += text.substr(at, c.length);
        else
            append_escape(out, c.value);
        at += c.length;
    }
    out += quote;
}

// Recursion is bounded: parse_json refuses deep nesting.
void append_repr(std::string& out, const json::value& value) {
    switch (value.kind()) {
        case json::kind::null: out += "None"; return;
        case json::kind::bool_: out += value.get_bool() ? "True" : "False"; return;
        case json::kind::string: append_string(out, value.get_string()); return;
        case json::kind::array: {
            std::string_view separator = "[";
            for (const auto& element : value.get_array()) {
                out += separator;
                append_repr(out, element);
                separator = ", ";
            }
            out += value.get_array().empty() ? "[]" : "]";
            return;
        }
        case json::kind::object: {
            std::string_view separator = "{";
            for (const auto& [key, member] : value.get_object()) {
                out += separator;
                append_string(out, key);
                out += ": ";
                append_repr(out, member);
                separator = ", ";
            }
            out += value.get_object().empty() ? "{}" : "}";
            return;
        }
        default: out += to_compact_json(value);  // numbers: both write the shortest digits that read back equal
    }
}

}  // namespace

std::string to_python_text(const json::value& value) {
    if (value.is_string()) return std::string(value.get_string());
    std::string out;
    append_repr(out, value);
    return out;
}

std::string to_plain_text(const json::value& value) { return value.is_null() ? std::string() : to_text(value); }

}  // namespace plimsoll::profile
