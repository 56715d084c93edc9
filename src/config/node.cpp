#include "config/node.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace plimsoll::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

// 0o17 and 0x1f, which carry no sign.
std::optional<std::int64_t> read_based(std::string_view text) {
    const int base = text.starts_with("0o") ? 8 : text.starts_with("0x") ? 16 : 0;
    if (base == 0 || text.size() == 2 || text[2] == '-') return std::nullopt;
    const char* const end = text.data() + text.size();
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data() + 2, end, number, base);
    if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
    return number;
}

// The number that is the whole text, or nothing.
template <class Number>
std::optional<Number> read_whole(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool looks_like_number(std::string_view text) {
    const auto skip_digits = [&text] {
        const std::size_t before = text.size();
        while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
        return before - text.size();
    };
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    const std::size_t whole = skip_digits();
    std::size_t fraction = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = skip_digits();
    }
    if (whole + fraction == 0) return false;
    if (text.empty()) return true;
    if (text.front() != 'e' && text.front() != 'E') return false;
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
    return skip_digits() > 0 && text.empty();
}

std::optional<json::value> read_number(std::string_view text) {
    if (const auto based = read_based(text)) return *based;
    const bool negative = text.starts_with('-');
    const std::string_view unsigned_text = negative || text.starts_with('+') ? text.substr(1) : text;
    if (is_one_of(unsigned_text, {".inf", ".Inf", ".INF"})) {
        const double infinity = std::numeric_limits<double>::infinity();
        return negative ? -infinity : infinity;
    }
    if (is_one_of(text, {".nan", ".NaN", ".NAN"})) return std::numeric_limits<double>::quiet_NaN();
    if (!looks_like_number(text)) return std::nullopt;

    const std::string_view digits = negative ? text : unsigned_text;  // from_chars takes a minus but no plus
    if (const auto integer = read_whole<std::int64_t>(digits)) return *integer;
    if (const auto number = read_whole<double>(digits)) return *number;
    return std::nullopt;
}

}  // namespace

bool Node::is_null() const { return kind == Kind::scalar && plain && read_plain(text).is_null(); }

Node make_text(std::string text, Mark mark) { return {.mark = mark, .plain = false, .text = std::move(text)}; }

const Member* find_member(const Node& node, std::string_view key) {
    const auto found = std::ranges::find(node.members, key, &Member::key);
    return found == node.members.end() ? nullptr : &*found;
}

Member* find_member(Node& node, std::string_view key) { return const_cast<Member*>(find_member(std::as_const(node), key)); }

const Node* find(const Node& node, std::string_view key) {
    const auto* member = find_member(node, key);
    return member ? &member->value : nullptr;
}

json::value read_plain(std::string_view text) {
    if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
    if (is_one_of(text, {"true", "True", "TRUE"})) return true;
    if (is_one_of(text, {"false", "False", "FALSE"})) return false;
    if (auto number = read_number(text)) return *std::move(number);
    return json::value(json::string(text));
}

json::value to_json(const Node& node) {
    switch (node.kind) {
        case Node::Kind::scalar:
            if (node.plain) return read_plain(node.text);
            return json::value(json::string(node.text));
        case Node::Kind::list: {
            json::array array;
            for (const auto& item : node.items) array.push_back(to_json(item));
            return array;
        }
        case Node::Kind::map: {
            json::object object;
            for (const auto& member : node.members) object.emplace(member.key, to_json(member.value));
            return object;
        }
    }
    return nullptr;
}

void merge(Node& under, Node over) {
    if (!under.is_map() || !over.is_map()) {
        under = std::move(over);
        return;
    }
    for (auto& member : over.members) {
        if (auto* existing = find_member(under, member.key)) {
            existing->mark = member.mark;
            merge(existing->value, std::move(member.value));
        } else {
            under.members.push_back(std::move(member));
        }
    }
}

}  // namespace plimsoll::config
