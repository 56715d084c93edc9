// The tree of a configuration, with the place of every node kept. Values only; no input or output here.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace plimsoll::config {

// Deeper nesting, in the files as in what overrides add, is an error.
inline constexpr std::size_t kMaxDepth = 64;

// Where something was written. Ordered as a reader meets it: the main file, its bases, then the overrides.
struct Mark {
    int source = 0;  // index given by Problems::add_source
    int line = 0;    // counted from 1; 0: the source as a whole
    int column = 0;
    auto operator<=>(const Mark&) const = default;
};

struct Member;

struct Node {
    enum class Kind : std::uint8_t { scalar, list, map };

    Mark mark;
    Kind kind = Kind::scalar;
    bool plain = true;  // unquoted: the text decides the type
    std::string text;   // of a scalar, as written; "" and plain is null
    std::vector<Node> items;
    std::vector<Member> members;  // in the order written, keys unique

    bool is_map() const { return kind == Kind::map; }
    bool is_null() const;
};

struct Member {
    std::string key;
    Mark mark;  // of the key
    Node value;
};

// A quoted scalar.
Node make_text(std::string text, Mark mark);

// Null when `node` is no mapping or has no such key.
const Member* find_member(const Node& node, std::string_view key);
Member* find_member(Node& node, std::string_view key);
const Node* find(const Node& node, std::string_view key);

// Type of an unquoted scalar by the core schema of YAML 1.2: null, boolean, integer (also 0o17 and 0x1f), number, else text.
// An integer beyond 64 bits is a number; a number beyond a double is text.
json::value read_plain(std::string_view text);

json::value to_json(const Node& node);

// Lays `over` on `under`: mappings are merged member by member, anything else is replaced with its place.
void merge(Node& under, Node over);

}  // namespace plimsoll::config
