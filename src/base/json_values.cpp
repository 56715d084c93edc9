#include "base/json_values.h"

#include <fmt/format.h>

namespace plimsoll {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::size_t kMaxMarker = 200;

bool is_constant(std::string_view text, std::string_view& found) {
    for (const std::string_view constant : {"NaN", "Infinity", "-Infinity"})
        if (text.starts_with(constant)) return found = constant, true;
    return false;
}

// The parser takes the sign of a number before it finds no digit.
bool stands_before_constant(std::string_view text, std::size_t at) {
    std::string_view constant;
    return (at < text.size() && is_constant(text.substr(at, 9), constant)) || (at > 0 && is_constant(text.substr(at - 1, 9), constant));
}

// The bracketed value at the beginning of `text` with Python's constants replaced; `used` is its length in `text`. Nothing when it does
// not end, or nests deeper than parse_json() reads.
std::optional<std::string> replace_constants(std::string_view text, std::size_t& used) {
    constexpr int kMaxDepth = 64;
    std::string out;
    int depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (std::string_view constant; !in_string && is_constant(text.substr(at, 9), constant)) {
            out += "null";
            at += constant.size();
            continue;
        }
        out += c;
        ++at;
        if (in_string) {
            if (c == '\\' && at < text.size()) out += text[at++];
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kMaxDepth) return std::nullopt;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            used = at;
            return out;
        }
    }
    return std::nullopt;
}

}  // namespace

JsonValues::JsonValues(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // byte order mark
    const std::size_t first = text_.find_first_not_of(kSpace, at_);
    is_array_ = first != std::string_view::npos && text_[first] == '[';
    if (is_array_) at_ = first + 1;
    learn_marker();
}

void JsonValues::learn_marker() {
    const std::size_t begin = text_.find_first_not_of(kSpace, at_);
    // What is no object has nothing to be recognised by but a line of its own.
    marker_ = "\n{";
    if (begin == std::string_view::npos || text_[begin] != '{') return;
    const std::size_t key = text_.find_first_not_of(kSpace, begin + 1);
    if (key == std::string_view::npos || text_[key] != '"') return;
    const std::size_t end = text_.find('"', key + 1);
    if (end == std::string_view::npos || end - begin > kMaxMarker) return;
    const std::size_t line = text_.rfind('\n', begin);
    const bool own_line = line != std::string_view::npos && text_.find_first_not_of(kSpace, line) == begin && begin - line < kMaxMarker;
    marker_ = text_.substr(own_line ? line : begin, end + 1 - (own_line ? line : begin));
    if (!own_line && !is_array_) marker_.insert(0, 1, '\n');
}

void JsonValues::skip_separators() {
    while (at_ < text_.size() && !closed_) {
        const char c = text_[at_];
        closed_ = is_array_ && c == ']';
        if (!closed_ && !kSpace.contains(c) && !(is_array_ && c == ',')) return;
        ++at_;
    }
}

void JsonValues::skip_damage() {
    const std::size_t found = text_.find(marker_, at_ + 1);
    cut_off_ = found == std::string_view::npos;
    at_ = cut_off_ ? text_.size() : found;
}

std::optional<Result<json::value>> JsonValues::next() {
    skip_separators();
    if (closed_) return std::nullopt;
    if (at_ >= text_.size()) {
        cut_off_ = cut_off_ || is_array_;
        return std::nullopt;
    }
    offset_ = at_;
    const std::string_view rest = text_.substr(at_);
    std::size_t used = 0;
    auto value = parse_json_prefix(rest, used);
    if (!value && stands_before_constant(rest, used)) {
        std::size_t length = 0;
        if (const auto replaced = replace_constants(rest, length)) {
            value = parse_json(*replaced);
            used = length;
        }
    }
    if (value)
        at_ += used;
    else
        skip_damage();
    return value;
}

}  // namespace plimsoll
