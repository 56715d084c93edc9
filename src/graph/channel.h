// Channels: how the writes of one step become the next value of a part of the state.
//
// A Channel is immutable and shared by all runs of a graph; the value itself lives in the run's state. The state is passed
// without its type (`void*`), so that the runtime is compiled once; a Slot is the one place that knows where in the state a
// channel's value is.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "graph/json_values.h"
#include "graph/update.h"

namespace plimsoll::graph {

enum class Lifetime : std::uint8_t {
    kept,       // until written again
    transient,  // one step: what no task writes again is cleared
    untracked,  // kept, but never part of a checkpoint
};

// In JSON a write that goes past the reducer is {"__overwrite__": value}.
inline constexpr std::string_view kOverwriteKey = "__overwrite__";

class Channel {
  public:
    Channel(std::string name, MemberKey member, Lifetime lifetime, bool has_json)
        : name_(std::move(name)), member_(member), lifetime_(lifetime), has_json_(has_json) {}
    virtual ~Channel() = default;

    const std::string& name() const { return name_; }
    MemberKey member() const { return member_; }
    bool is_transient() const { return lifetime_ == Lifetime::transient; }
    bool is_untracked() const { return lifetime_ == Lifetime::untracked; }
    // Whether the functions below that speak JSON may be called.
    bool has_json() const { return has_json_; }

    // Applies one step's writes (at least one, in task order) and moves their values out.
    // Errors: invalid_argument when the channel does not take that many.
    virtual Result<void> update(void* state, std::span<Write* const> writes) const = 0;
    virtual void clear(void* state) const = 0;
    // False for a name that a JsonState does not have.
    virtual bool is_present(const void* state) const = 0;
    // The whole value as a write to the same member. The value must be present.
    virtual Write read(const void* state) const = 0;

    // The value, which must be present.
    virtual json::value to_json(const void* state) const = 0;
    virtual Result<void> load_json(void* state, const json::value& value) const = 0;
    virtual json::value write_to_json(const Write& write) const = 0;
    virtual Result<Write> write_from_json(const json::value& value) const = 0;

  protected:
    std::unexpected<Error> reject(std::string_view why) const {
        return fail(ErrorCode::invalid_argument, fmt::format("channel {}: {}", name_, why));
    }

  private:
    std::string name_;
    MemberKey member_;
    Lifetime lifetime_;
    bool has_json_;
};

template <class S, class T>
struct MemberSlot {
    using State = S;
    using Value = T;

    T S::* pointer;

    MemberKey key() const { return member_key(pointer); }
    T& at(S& state) const { return state.*pointer; }
    const T* find(const S& state) const { return &(state.*pointer); }
    void clear(S& state) const { state.*pointer = T{}; }
};

struct JsonSlot {
    using State = JsonState;
    using Value = json::value;

    std::string name;

    MemberKey key() const { return json_member_key(name); }
    json::value& at(JsonState& state) const { return state.values[name]; }
    const json::value* find(const JsonState& state) const { return state.values.if_contains(name); }
    void clear(JsonState& state) const { state.values.erase(name); }
};

template <class Slot>
class SlotChannel : public Channel {
  public:
    using State = typename Slot::State;
    using Value = typename Slot::Value;

    SlotChannel(std::string name, Slot slot, Lifetime lifetime)
        : Channel(std::move(name), slot.key(), lifetime, graph::has_json<Value>()), slot_(std::move(slot)) {}

    void clear(void* state) const override { slot_.clear(*static_cast<State*>(state)); }
    bool is_present(const void* state) const override { return find(state) != nullptr; }
    Write read(const void* state) const override { return {member(), false, std::any(*find(state))}; }

    json::value to_json(const void* state) const override { return value_to_json(*find(state)); }
    Result<void> load_json(void* state, const json::value& value) const override {
        auto loaded = value_from_json(value);
        if (!loaded) return fail(std::move(loaded).error());
        at(state) = std::move(*loaded);
        return {};
    }
    json::value write_to_json(const Write& write) const override {
        json::value value = value_to_json(*std::any_cast<Value>(&write.value));
        if (write.overwrite) return json::object{{kOverwriteKey, std::move(value)}};
        return value;
    }
    Result<Write> write_from_json(const json::value& value) const override {
        const json::value* inner = find_overwrite(value);
        auto loaded = value_from_json(inner ? *inner : value);
        if (!loaded) return fail(std::move(loaded).error());
        return Write{member(), inner != nullptr, std::any(std::move(*loaded))};
    }

  protected:
    Value& at(void* state) const { return slot_.at(*static_cast<State*>(state)); }
    const Value* find(const void* state) const { return slot_.find(*static_cast<const State*>(state)); }
    static Value take(Write& write) {
        Value* value = std::any_cast<Value>(&write.value);
        PLIMSOLL_CHECK(value != nullptr, "a write's value has its member's type");
        return std::move(*value);
    }

  private:
    static const json::value* find_overwrite(const json::value& value) {
        const json::object* object = value.if_object();
        return object && object->size() == 1 ? object->if_contains(kOverwriteKey) : nullptr;
    }
    static json::value value_to_json(const Value& value) {
        if constexpr (graph::has_json<Value>()) return json::value_from(value);
        check_failed("has_json()", "only channels with a JSON conversion are saved", std::source_location::current());
    }
    Result<Value> value_from_json(const json::value& value) const {
        if constexpr (graph::has_json<Value>()) return from_json<Value>(value, "channel " + name());
        check_failed("has_json()", "only channels with a JSON conversion are loaded", std::source_location::current());
    }

    Slot slot_;
};

// One write a step; with `any`, the last of several (LangGraph's AnyValue).
template <class Slot>
class LastValueChannel final : public SlotChannel<Slot> {
  public:
    LastValueChannel(std::string name, Slot slot, Lifetime lifetime, bool any = false)
        : SlotChannel<Slot>(std::move(name), std::move(slot), lifetime), any_(any) {}

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        if (writes.size() > 1 && !any_) return this->reject("can receive only one value per step; give it a reducer to take several");
        this->at(state) = this->take(*writes.back());
        return {};
    }

  private:
    bool any_;
};

// value = reduce(value, write), in task order; an absent value becomes the first write. An overwrite sets the value and
// silences the step's later plain writes.
template <class Slot>
class ReducedChannel final : public SlotChannel<Slot> {
  public:
    using Value = typename Slot::Value;

    ReducedChannel(std::string name, Slot slot, std::function<Value(Value, Value)> reduce)
        : SlotChannel<Slot>(std::move(name), std::move(slot), Lifetime::kept), reduce_(std::move(reduce)) {}

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        bool overwritten = false;
        for (Write* write : writes) {
            if (write->overwrite) {
                if (std::exchange(overwritten, true)) return this->reject("can receive only one overwrite per step");
                this->at(state) = this->take(*write);
            } else if (!this->find(state)) {
                this->at(state) = this->take(*write);
            } else if (!overwritten) {
                Value& value = this->at(state);
                value = reduce_(std::move(value), this->take(*write));
            }
        }
        return {};
    }

  private:
    std::function<Value(Value, Value)> reduce_;
};

// Adds what `more` holds to the end of `all`: sequences, strings, and the arrays and strings of a JSON value.
template <class T>
void append_to(T& all, T more) {
    all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}
void append_to(json::value& all, json::value more);

// Publish and subscribe: the value is a sequence; the lists written in one step are joined in task order. Accumulating topics
// keep earlier steps' items, others hold one step's.
template <class Slot>
class TopicChannel final : public SlotChannel<Slot> {
  public:
    using Value = typename Slot::Value;

    TopicChannel(std::string name, Slot slot, bool accumulate)
        : SlotChannel<Slot>(std::move(name), std::move(slot), accumulate ? Lifetime::kept : Lifetime::transient) {}

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        if (this->is_transient()) this->clear(state);
        Value& value = this->at(state);
        for (Write* write : writes) append_to(value, this->take(*write));
        return {};
    }
};

// How a channel combines; the argument of StateGraph::channel.
template <class T>
struct Reduce {
    std::function<T(T, T)> function;
};
struct Append {};
struct Ephemeral {};
struct Topic {
    bool accumulate = false;
};
struct AnyValue {};
struct Untracked {};

// A binary operator: (what the channel holds, what a task wrote) -> what it holds next.
template <class T, class Fn>
Reduce<T> reduce(Fn function) {
    return {std::move(function)};
}
// Joins sequences (and strings).
inline Append append() { return {}; }
// Visible in the step after the write only; one write a step.
inline Ephemeral ephemeral() { return {}; }
inline Topic topic(bool accumulate = false) { return {accumulate}; }
// Several writes a step, all of which are expected to be equal; the last one stays.
inline AnyValue any_value() { return {}; }
// One write a step, never part of a checkpoint: for what can be had again, or must not be stored.
inline Untracked untracked() { return {}; }

}  // namespace plimsoll::graph
