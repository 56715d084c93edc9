// Channels: how the writes of one step become the next value of a member of the state.
//
// A Channel is immutable and shared by all runs of a graph; the value itself is a member of the run's state. The state is
// passed without its type (`void*`), so that the runtime is compiled once; MemberChannel is the one place that casts it back.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "graph/update.h"

namespace plimsoll::graph {

class Channel {
  public:
    Channel(std::string name, MemberKey member, bool transient) : name_(std::move(name)), member_(member), transient_(transient) {}
    virtual ~Channel() = default;

    const std::string& name() const { return name_; }
    MemberKey member() const { return member_; }
    // A transient channel's value lasts one step: what no task writes again is cleared.
    bool is_transient() const { return transient_; }

    // Applies one step's writes (at least one, in task order) and moves their values out.
    // Errors: invalid_argument when the channel does not take that many.
    virtual Result<void> update(void* state, std::span<Write* const> writes) const = 0;
    virtual void clear(void* state) const = 0;
    // The whole value as a write to the same member.
    virtual Write read(const void* state) const = 0;

  protected:
    std::unexpected<Error> reject(std::string_view why) const {
        return fail(ErrorCode::invalid_argument, fmt::format("channel {}: {}", name_, why));
    }

  private:
    std::string name_;
    MemberKey member_;
    bool transient_;
};

template <class S, class T>
class MemberChannel : public Channel {
  public:
    MemberChannel(std::string name, T S::* member, bool transient)
        : Channel(std::move(name), member_key(member), transient), pointer_(member) {}

    void clear(void* state) const override { value(state) = T{}; }
    Write read(const void* state) const override { return {member(), false, std::any(static_cast<const S*>(state)->*pointer_)}; }

  protected:
    T& value(void* state) const { return static_cast<S*>(state)->*pointer_; }
    static T take(Write& write) {
        T* value = std::any_cast<T>(&write.value);
        PLIMSOLL_CHECK(value != nullptr, "a write's value has its member's type");
        return std::move(*value);
    }

  private:
    T S::* pointer_;
};

// One write a step. An ephemeral one is transient besides.
template <class S, class T>
class LastValueChannel final : public MemberChannel<S, T> {
  public:
    using MemberChannel<S, T>::MemberChannel;

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        if (writes.size() > 1) return this->reject("can receive only one value per step; give it a reducer to take several");
        this->value(state) = this->take(*writes.front());
        return {};
    }
};

// value = reduce(value, write), in task order. An overwrite sets the value and silences the step's later plain writes.
template <class S, class T>
class ReducedChannel final : public MemberChannel<S, T> {
  public:
    ReducedChannel(std::string name, T S::* member, std::function<T(T, T)> reduce)
        : MemberChannel<S, T>(std::move(name), member, false), reduce_(std::move(reduce)) {}

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        T& value = this->value(state);
        bool overwritten = false;
        for (Write* write : writes) {
            if (write->overwrite) {
                if (std::exchange(overwritten, true)) return this->reject("can receive only one overwrite per step");
                value = this->take(*write);
            } else if (!overwritten) {
                value = reduce_(std::move(value), this->take(*write));
            }
        }
        return {};
    }

  private:
    std::function<T(T, T)> reduce_;
};

// Publish and subscribe: T is a sequence; the lists written in one step are joined in task order. Accumulating topics keep
// earlier steps' items, others hold one step's.
template <class S, class T>
class TopicChannel final : public MemberChannel<S, T> {
  public:
    TopicChannel(std::string name, T S::* member, bool accumulate) : MemberChannel<S, T>(std::move(name), member, !accumulate) {}

    Result<void> update(void* state, std::span<Write* const> writes) const override {
        T& value = this->value(state);
        if (this->is_transient()) value.clear();
        for (Write* write : writes) {
            T items = this->take(*write);
            value.insert(value.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
        }
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

}  // namespace plimsoll::graph
