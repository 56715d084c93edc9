#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>

namespace plimsoll {
namespace {

// Python's repr of a float: shortest digits, with ".0" when integral.
void append_number(std::string& out, double value) {
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    char buffer[40];
    const double magnitude = std::abs(value);
    const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
    const auto end = plain ? std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed).ptr
                           : std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
    const std::string_view text(buffer, end - buffer);
    out += text;
    if (plain && text.find('.') == std::string_view::npos) out += ".0";
}

void append_code_unit(std::string& out, unsigned unit) { out += fmt::format("\\u{:04x}", unit); }

// Length of the UTF-8 sequence at text[at] with its code point, or 1 and U+FFFD for a bad byte.
std::size_t decode_utf8(std::string_view text, std::size_t at, unsigned& code_point) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (length == 0 || at + length > text.size()) {
        code_point = 0xfffd;
        return 1;
    }
    code_point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if (byte(at + i) >> 6 != 2) {
            code_point = 0xfffd;
            return 1;
        }
        code_point = code_point << 6 | (byte(at + i) & 0x3f);
    }
    return length;
}

void append_code_point(std::string& out, unsigned code_point) {
    if (code_point < 0x10000) return append_code_unit(out, code_point);
    append_code_unit(out, 0xd800 + ((code_point - 0x10000) >> 10));
    append_code_unit(out, 0xdc00 + ((code_point - 0x10000) & 0x3ff));
}

// Bytes that are no UTF-8 are written as U+FFFD: whoever reads the file must be able to.
void append_string(std::string& out, std::string_view text, Escape escape) {
    const auto plain = [escape](unsigned char c) { return c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || escape == Escape::utf8); };
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at;
        while (end < text.size() && plain(static_cast<unsigned char>(text[end]))) ++end;
        out += text.substr(at, end - at);
        at = end;
        if (at == text.size()) break;
        const unsigned char c = text[at];
        if (c >= 0x80) {
            unsigned code_point;
            const std::size_t length = decode_utf8(text, at, code_point);
            if (escape == Escape::utf8)
                out += length > 1 ? text.substr(at, length) : "\xef\xbf\xbd";
            else
                append_code_point(out, code_point);
            at += length;
            continue;
        }
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            default: append_code_unit(out, c);
        }
        ++at;
    }
    out += '"';
}

struct Writer {
    std::string& out;
    Escape escape;
    bool pretty;

    void newline(int depth) {
        if (!pretty) return;
        out += '\n';
        out.append(2 * static_cast<std::size_t>(depth), ' ');
    }

    void write(const json::value& value, int depth) {
        switch (value.kind()) {
            case json::kind::null: out += "null"; return;
            case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
            case json::kind::int64: out += std::to_string(value.get_int64()); return;
            case json::kind::uint64: out += std::to_string(value.get_uint64()); return;
            case json::kind::double_: append_number(out, value.get_double()); return;
            case json::kind::string: append_string(out, value.get_string(), escape); return;
            case json::kind::array: write_array(value.get_array(), depth); return;
            case json::kind::object: write_object(value.get_object(), depth); return;
        }
    }

    void write_array(const json::array& array, int depth) {
        out += '[';
        for (std::size_t i = 0; i < array.size(); ++i) {
            if (i > 0) out += ',';
            newline(depth + 1);
            write(array[i], depth + 1);
        }
        if (!array.empty()) newline(depth);
        out += ']';
    }

    void write_object(const json::object& object, int depth) {
        out += '{';
        bool first = true;
        for (const auto& [key, member] : object) {
            if (!first) out += ',';
            first = false;
            newline(depth + 1);
            append_string(out, key, escape);
            out += pretty ? ": " : ":";
            write(member, depth + 1);
        }
        if (!first) newline(depth);
        out += '}';
    }
};

// Builds the tree like boost::json::parser, but rounds numbers correctly: Boost 1.81 is off by one unit in the last place for
// many of 17 digits, which for times since the epoch is a quarter of a microsecond.
struct TreeBuilder {
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    using Code = json::error_code;
    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) { return true; }
    bool on_object_end(std::size_t size, Code&) { return stack.push_object(size), true; }
    bool on_array_begin(Code&) { return true; }
    bool on_array_end(std::size_t size, Code&) { return stack.push_array(size), true; }
    bool on_key_part(json::string_view part, std::size_t, Code&) { return stack.push_chars(part), true; }
    bool on_key(json::string_view part, std::size_t, Code&) { return stack.push_key(part), true; }
    bool on_string_part(json::string_view part, std::size_t, Code&) { return stack.push_chars(part), true; }
    bool on_string(json::string_view part, std::size_t, Code&) { return stack.push_string(part), true; }
    bool on_number_part(json::string_view part, Code&) { return number.append(part.data(), part.size()), true; }
    bool on_int64(std::int64_t value, json::string_view, Code&) { return number.clear(), stack.push_int64(value), true; }
    bool on_uint64(std::uint64_t value, json::string_view, Code&) { return number.clear(), stack.push_uint64(value), true; }
    bool on_double(double value, json::string_view part, Code&) {
        number.append(part.data(), part.size());
        double exact = value;
        const auto read = std::from_chars(number.data(), number.data() + number.size(), exact);
        stack.push_double(read.ec == std::errc() ? exact : value);
        number.clear();
        return true;
    }
    bool on_bool(bool value, Code&) { return stack.push_bool(value), true; }
    bool on_null(Code&) { return stack.push_null(), true; }
    bool on_comment_part(json::string_view, Code&) { return true; }
    bool on_comment(json::string_view, Code&) { return true; }

    json::value_stack stack;
    std::string number;
};

}  // namespace

Result<json::value> parse_json_prefix(std::string_view text, std::size_t& used) {
    constexpr std::size_t kMaxDepth = 64;
    json::parse_options options;
    options.max_depth = kMaxDepth;
    json::basic_parser<TreeBuilder> parser(options);
    parser.handler().stack.reset();
    json::error_code error;
    used = parser.write_some(false, text.data(), text.size(), error);
    if (error) return fail(ErrorCode::parse, error.message());
    return parser.handler().stack.release();
}

Result<json::value> parse_json(std::string_view text) {
    std::size_t used = 0;
    auto value = parse_json_prefix(text, used);
    if (value && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos)
        value = fail(ErrorCode::parse, make_error_code(json::error::extra_data).message());
    if (value) return value;
    const std::string_view before = text.substr(0, std::min(used, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto column = before.size() - (before.rfind('\n') + 1) + 1;
    return fail(ErrorCode::parse, fmt::format("line {} column {}: {}", line, column, value.error().message));
}

void append_pretty_json(std::string& out, const json::value& value, int depth, Escape escape) {
    Writer{out, escape, true}.write(value, depth);
}

std::string to_pretty_json(const json::value& value, Escape escape) {
    std::string out;
    append_pretty_json(out, value, 0, escape);
    return out;
}

std::string to_compact_json(const json::value& value) {
    std::string out;
    Writer{out, Escape::utf8, false}.write(value, 0);
    return out;
}

const json::value* find(const json::value& value, std::string_view key) {
    const auto* object = value.if_object();
    return object ? object->if_contains(key) : nullptr;
}

std::optional<std::string> get_string(const json::value& value, std::string_view key) {
    const auto* member = find(value, key);
    if (!member || !member->is_string()) return std::nullopt;
    return std::string(member->get_string());
}

std::optional<double> get_number(const json::value& value, std::string_view key) {
    const auto* member = find(value, key);
    if (!member || !member->is_number()) return std::nullopt;
    return member->to_number<double>();
}

std::optional<std::int64_t> get_int(const json::value& value, std::string_view key) {
    const auto* member = find(value, key);
    if (!member || !member->is_number()) return std::nullopt;
    json::error_code error;
    const auto number = member->to_number<std::int64_t>(error);
    if (error) return std::nullopt;
    return number;
}

std::string to_text(const json::value& value) {
    if (const auto* text = value.if_string()) return std::string(*text);
    return to_compact_json(value);
}

}  // namespace plimsoll
