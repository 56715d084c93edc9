#include "base/json_values.h"

#include <algorithm>

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
// not end (`used` is 0 then), or nests deeper than parse_json() reads.
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
            if (++depth > kMaxDepth) {
                used = at;
                return std::nullopt;
            }
        } else if ((c == '}' || c == ']') && --depth == 0) {
            used = at;
            return out;
        }
    }
    return std::nullopt;
}

}  // namespace

JsonValues::JsonValues(std::string_view text) : own_(std::make_unique<TextWindow>(text)), window_(*own_) { begin(); }

JsonValues::JsonValues(TextWindow& window) : window_(window) { begin(); }

void JsonValues::begin() {
    while (window_.text().size() < kMaxMarker && window_.grow()) {
    }
    if (window_.text().starts_with("\xef\xbb\xbf")) window_.pass(3);  // byte order mark
    const std::size_t first = find_first_not_space(0);
    is_array_ = first != std::string_view::npos && window_.text()[first] == '[';
    if (is_array_) window_.pass(first + 1);
    learn_marker();
}

// Of text(), which may be all that is left.
std::size_t JsonValues::find_first_not_space(std::size_t from) {
    for (;;) {
        const std::size_t found = window_.text().find_first_not_of(kSpace, from);
        if (found != std::string_view::npos) return found;
        from = window_.text().size();
        if (!window_.grow()) return std::string_view::npos;
    }
}

void JsonValues::learn_marker() {
    const std::size_t begin = find_first_not_space(0);
    // What is no object has nothing to be recognised by but a line of its own.
    marker_ = "\n{";
    if (begin == std::string_view::npos || window_.text()[begin] != '{') return;
    const std::size_t key = find_first_not_space(begin + 1);
    while (window_.text().size() < begin + kMaxMarker && window_.grow()) {
    }
    const std::string_view text = window_.text();
    if (key == std::string_view::npos || text[key] != '"') return;
    const std::size_t end = text.find('"', key + 1);
    if (end == std::string_view::npos || end - begin > kMaxMarker) return;
    const std::size_t line = text.rfind('\n', begin);
    const bool own_line = line != std::string_view::npos && text.find_first_not_of(kSpace, line) == begin && begin - line < kMaxMarker;
    marker_ = text.substr(own_line ? line : begin, end + 1 - (own_line ? line : begin));
    if (!own_line && !is_array_) marker_.insert(0, 1, '\n');
}

void JsonValues::skip_separators() {
    while (!closed_) {
        const std::size_t at = find_first_not_space(0);
        if (at == std::string_view::npos) {
            window_.pass(window_.text().size());
            return;
        }
        const char c = window_.text()[at];
        closed_ = is_array_ && c == ']';
        const bool separates = closed_ || (is_array_ && c == ',');
        window_.pass(separates ? at + 1 : at);
        if (!separates) return;
    }
}

void JsonValues::skip_damage() {
    window_.pass(1);
    for (;;) {
        const std::size_t found = window_.text().find(marker_);
        if (found != std::string_view::npos) return window_.pass(found);
        const std::size_t kept = std::min(marker_.size() - 1, window_.text().size());  // it may begin at the end of what was read
        window_.pass(window_.text().size() - kept);
        if (window_.grow()) continue;
        window_.pass(kept);
        cut_off_ = true;
        return;
    }
}

// What stands at the end of what was read may go on behind it, and a bad byte there may be the beginning of a constant.
Result<json::value> JsonValues::parse(std::size_t& used) {
    constexpr std::size_t kLongestConstant = 9;
    auto value = parse_json_prefix(window_.text(), used);
    while (window_.text().size() - used < kLongestConstant && window_.grow()) value = parse_json_prefix(window_.text(), used);
    if (value || !stands_before_constant(window_.text(), used)) return value;
    std::size_t length = 0;
    auto replaced = replace_constants(window_.text(), length);
    while (!replaced && length == 0 && window_.grow()) replaced = replace_constants(window_.text(), length);
    if (!replaced) return value;
    used = length;
    return parse_json(*replaced);
}

std::optional<Result<json::value>> JsonValues::next() {
    skip_separators();
    if (closed_) return std::nullopt;
    if (window_.text().empty()) {
        cut_off_ = cut_off_ || is_array_;
        return std::nullopt;
    }
    offset_ = window_.position();
    std::size_t used = 0;
    auto value = parse(used);
    if (value)
        window_.pass(used);
    else
        skip_damage();
    return value;
}

}  // namespace plimsoll
