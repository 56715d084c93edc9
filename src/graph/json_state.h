// A state whose channels are known by name only, for graphs that are built from data. A channel that was never written is absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"

namespace plimsoll::graph {

struct JsonState {
    json::object values;  // by channel
    friend bool operator==(const JsonState&, const JsonState&) = default;
};

// Stands for a channel's name where typed states have a pointer to a member: FNV-1a, 64 bit (Fowler, Noll, Vo, 1991).
// compile() refuses a graph in which two names meet.
constexpr std::ptrdiff_t json_member_key(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return static_cast<std::ptrdiff_t>(hash);
}

}  // namespace plimsoll::graph
