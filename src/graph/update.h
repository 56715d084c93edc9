// What a node gives back: the channels it writes and where the graph goes next.
//
//   graph::Update<ResearchState> update;
//   update.set(&ResearchState::notes, {"a finding"});           // through the channel's reducer
//   update.overwrite(&ResearchState::notes, {});                // past the reducer
//   update.go_to("write");                                      // besides the node's edges
//   update.go_to(graph::send("search", Search{"tides"}));       // one more task with an argument of its own
//
// Plain values; they travel from the node to the runtime by move.
#pragma once

#include <any>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/json_state.h"

namespace plimsoll::graph {

inline constexpr std::string_view kStart = "__start__";
inline constexpr std::string_view kEnd = "__end__";

// Which member of a state a write is for, without the member's type. Different members have different keys.
using MemberKey = std::ptrdiff_t;

template <class S, class T>
MemberKey member_key(T S::* member) {
    static_assert(sizeof(member) == sizeof(MemberKey), "a pointer to a data member is expected to be an offset");
    return std::bit_cast<MemberKey>(member);
}

// One value for one channel. `value` holds the member's type.
struct Write {
    MemberKey member = 0;
    bool overwrite = false;
    std::any value;
    std::size_t channel = 0;  // index in the program; the runtime fills it in
};

// The next node: a name, or a Send, which is a task of its own whose input is `argument` instead of the state.
struct Target {
    template <class Name>
        requires std::convertible_to<Name, std::string_view>
    Target(const Name& name) : node(std::string_view(name)) {}  // a name is a target
    Target(std::string name, std::any value) : node(std::move(name)), argument(std::move(value)) {}

    std::string node;
    std::any argument;  // empty: follow the edge to `node`
};

// `argument` must be of the type that the node was added with (the state's by default) and copyable.
template <class Argument>
Target send(std::string node, Argument argument) {
    return Target(std::move(node), std::any(std::move(argument)));
}

// An update without its state's type, as the runtime handles it.
struct UpdateData {
    std::vector<Write> writes;
    std::vector<Target> targets;
    bool to_parent = false;
};

template <class S>
class Update {
  public:
    // What the member's channel makes of `value`: the new value (LastValue), one more operand (reducers, topics).
    template <class Self, class T>
    Self&& set(this Self&& self, T S::* member, std::type_identity_t<T> value) {
        self.data_.writes.push_back({member_key(member), false, std::any(std::move(value))});
        return std::forward<Self>(self);
    }

    // Replaces what the channel holds; the step's later plain writes to it are dropped. Two in one step are an error.
    template <class Self, class T>
    Self&& overwrite(this Self&& self, T S::* member, std::type_identity_t<T> value) {
        self.data_.writes.push_back({member_key(member), true, std::any(std::move(value))});
        return std::forward<Self>(self);
    }

    // The same by name. A name without a channel is ignored, as LangGraph ignores unknown keys.
    template <class Self>
        requires std::same_as<S, JsonState>
    Self&& set(this Self&& self, std::string_view channel, json::value value) {
        self.data_.writes.push_back({json_member_key(channel), false, std::any(std::move(value))});
        return std::forward<Self>(self);
    }
    template <class Self>
        requires std::same_as<S, JsonState>
    Self&& overwrite(this Self&& self, std::string_view channel, json::value value) {
        self.data_.writes.push_back({json_member_key(channel), true, std::any(std::move(value))});
        return std::forward<Self>(self);
    }

    // Adds to the node's edges. kEnd goes nowhere.
    template <class Self>
    Self&& go_to(this Self&& self, Target target) {
        self.data_.targets.push_back(std::move(target));
        return std::forward<Self>(self);
    }

    // Only inside a graph that is a node of another one with the same state: ends the inner graph; this update is applied
    // to the outer state and `target` is a node of the outer graph.
    template <class Self>
    Self&& go_to_parent(this Self&& self, Target target) {
        self.data_.to_parent = true;
        self.data_.targets.push_back(std::move(target));
        return std::forward<Self>(self);
    }

    UpdateData take() && { return std::move(data_); }

  private:
    UpdateData data_;
};

}  // namespace plimsoll::graph
