// How one run of a graph is bounded and watched.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <typeindex>
#include <vector>

#include "base/error.h"
#include "graph/update.h"

namespace plimsoll::graph {

struct Program;

// Names a task within its run: the same graph, input and results give the same ids.
struct TaskId {
    std::int64_t step = 0;
    std::size_t index = 0;  // in the step's order: nodes by name, then Sends
    friend bool operator==(TaskId, TaskId) = default;
};

// What a node may ask for as its third parameter.
struct StepInfo {
    TaskId task;
    std::int64_t remaining_steps = 0;  // of the recursion limit, after this one
    bool is_last_step() const { return remaining_steps == 1; }
};

// What happens in a run. Valid during the callback only.
class StreamEvent {
  public:
    enum class Kind : std::uint8_t {
        values,  // after the input and after each step that wrote a channel: the whole state
        update,  // as each task ends well, in that order: what it wrote
    };

    Kind kind = Kind::values;
    TaskId task;                              // of values: only the step
    std::string_view node;                    // of an update
    std::span<const std::uint64_t> versions;  // of values: per channel in the order of the channel() calls; one step, one version

    // Of a values event. S must be the graph's state.
    template <class S>
    const S& values() const {
        PLIMSOLL_CHECK(kind == Kind::values && state_type == typeid(S), "values() of a values event, with the graph's state");
        return *static_cast<const S*>(state);
    }
    // Of an update: the first value written to the member; null when it was not written.
    template <class S, class T>
    const T* written(T S::* member) const {
        PLIMSOLL_CHECK(state_type == typeid(S), "written() with a member of the graph's state");
        for (const Write& write : writes)
            if (write.member == member_key(member)) return std::any_cast<T>(&write.value);
        return nullptr;
    }
    // Of an update: names of the channels written, in the order of the writes.
    std::vector<std::string_view> channels() const;

    // Filled in by the runtime.
    std::type_index state_type = typeid(void);
    const void* state = nullptr;
    std::span<const Write> writes;
    const Program* program = nullptr;
};

// LangGraph's default since its 1.2: high enough for real loops, low enough to end an endless one.
inline constexpr std::int64_t kDefaultRecursionLimit = 10007;
// More Sends than this in one step are an error: a fan-out over unchecked input must not eat the machine.
inline constexpr std::size_t kMaxTasksPerStep = 100'000;

struct RunOptions {
    std::int64_t recursion_limit = kDefaultRecursionLimit;  // k steps of nodes need k + 1; at least 1
    std::size_t max_concurrency = 0;                        // coroutine tasks at a time; 0 = all of a step
    std::function<void(const StreamEvent&)> on_event;       // on the run's thread; must not block; an exception fails the run
};

}  // namespace plimsoll::graph
