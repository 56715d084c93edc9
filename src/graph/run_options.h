// How one run of a graph is bounded, kept and watched.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/interrupt.h"
#include "graph/update.h"

namespace plimsoll::graph {

class CheckpointLog;
struct Program;
struct Task;

// Names a task within its run: the same graph, input and results give the same ids.
struct TaskId {
    std::int64_t step = 0;
    std::size_t index = 0;  // in the step's order: nodes by name, then Sends
    friend bool operator==(TaskId, TaskId) = default;
};

// What a node may ask for as its third parameter. Valid until the node returns.
struct StepInfo {
    TaskId task;
    std::int64_t remaining_steps = 0;  // of the recursion limit, after this one
    Task* running = nullptr;           // the runtime's

    bool is_last_step() const { return remaining_steps == 1; }

    // Says that the node is alive: its idle timeout starts anew.
    void heartbeat() const;
    // Tells whoever watches the run something of the node's own (mode custom), or a piece of a model's answer (mode messages).
    // Waits while a stream's reader is behind. A sign of life, too.
    asio::awaitable<void> write(json::value event) const;
    asio::awaitable<void> write_message(json::value piece) const;
};

// What a watcher wants to see; combine with |.
enum class StreamMode : std::uint8_t {
    values = 1,        // after the input and after each step that wrote a channel: the whole state
    updates = 2,       // as each task ends well, in that order: what it wrote; questions
    custom = 4,        // StepInfo::write()
    messages = 8,      // StepInfo::write_message()
    tasks = 16,        // start and end of each task
    checkpoints = 32,  // each checkpoint as it is made
    debug = 64,        // tasks and checkpoints in one, with step and time
};
constexpr StreamMode operator|(StreamMode a, StreamMode b) { return StreamMode(static_cast<unsigned>(a) | static_cast<unsigned>(b)); }
constexpr bool has_mode(StreamMode modes, StreamMode mode) { return (static_cast<unsigned>(modes) & static_cast<unsigned>(mode)) != 0; }

// What happens in a run. Valid during the callback only.
class StreamEvent {
  public:
    enum class Kind : std::uint8_t { values, update, interrupt, custom, message, task, task_result, checkpoint };

    Kind kind = Kind::values;
    std::string_view space;                   // of a graph inside a graph: "node:task", joined by '|'
    TaskId task;                              // of values: only the step
    std::string_view node;                    // of what a task does
    std::span<const std::uint64_t> versions;  // of values: per channel in the order of the channel() calls; one step, one version
    bool cached = false;                      // of an update: it was not made now, but found in a cache or a checkpoint

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

    // The event as LangGraph's stream shows it in `mode`; nullopt when that mode does not show it. Channels without a JSON
    // conversion are left out.
    std::optional<json::value> to_json(StreamMode mode) const;

    // Filled in by the runtime.
    std::type_index state_type = typeid(void);
    const void* state = nullptr;
    std::span<const Write> writes;
    const Program* program = nullptr;
    const Task* source = nullptr;                        // of what a task does
    std::span<const std::string_view> triggers;          // of task
    const json::value* data = nullptr;                   // of custom and message
    const std::vector<Interrupt>* interrupts = nullptr;  // of interrupt
    const CheckpointLog* log = nullptr;                  // of checkpoint
    std::span<const Task> next;                          // of checkpoint: what runs next
};

// LangGraph's default since its 1.2: high enough for real loops, low enough to end an endless one.
inline constexpr std::int64_t kDefaultRecursionLimit = 10007;
// More Sends than this in one step are an error: a fan-out over unchecked input must not eat the machine.
inline constexpr std::size_t kMaxTasksPerStep = 100'000;

// When a checkpoint is stored.
enum class Durability : std::uint8_t {
    sync,   // before the next step starts
    async,  // while the next step runs
    exit,   // one, at the end of the run, whatever that is
};

struct RunOptions {
    std::int64_t recursion_limit = kDefaultRecursionLimit;        // k steps of nodes need k + 1; at least 1
    std::size_t max_concurrency = 0;                              // coroutine tasks at a time; 0 = all of a step
    std::function<void(const StreamEvent&)> on_event;             // on the run's thread; must not block; an exception fails the run
    StreamMode modes = StreamMode::values | StreamMode::updates;  // what on_event sees
    bool subgraphs = false;                                       // on_event sees the events of graphs inside the graph, too

    // With a saver.
    std::string thread;      // whose checkpoints the run goes on from and adds to; required
    std::string checkpoint;  // its id: go on from there instead of the latest one
    Durability durability = Durability::async;
    std::string run;  // put into the metadata of its checkpoints

    // Asked between steps; true ends the run as `drained`. With a saver it can be resumed.
    std::function<bool()> should_drain;
};

}  // namespace plimsoll::graph
