// What a thread remembers, for people and programs that look at it or change it between runs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/interrupt.h"
#include "graph/program.h"

namespace plimsoll::graph {

// A task of the next step.
struct ThreadTask {
    std::string key;
    std::string node;
    bool done = false;                 // its siblings are not, so the step is not applied yet
    std::optional<std::string> error;  // of its last attempt
    std::vector<Interrupt> interrupts;
};

struct ThreadState {
    CheckpointKey key;  // id empty: nothing is known of the thread
    std::optional<CheckpointKey> parent;
    std::string created_at;
    CheckpointMetadata metadata;
    std::vector<std::string> channels;  // that have a value
    std::vector<std::string> next;      // nodes of the tasks that have not ended; kStart: the input is not applied yet
    std::vector<ThreadTask> tasks;
    std::vector<Interrupt> interrupts;  // of all tasks
};

// `state` receives the values. `with_pending`: with the writes of tasks that have ended while others have not.
Result<ThreadState> read_thread_state(const Program& program, const StoredCheckpoint& stored, bool with_pending, void* state);

// Errors: invalid_argument without a saver; the saver's.
asio::awaitable<Result<std::optional<StoredCheckpoint>>> fetch_state(std::shared_ptr<const Program> program, CheckpointKey key);
asio::awaitable<Result<std::vector<StoredCheckpoint>>> fetch_history(std::shared_ptr<const Program> program, std::string thread,
                                                                     ListOptions options);

struct NodeUpdate {
    UpdateData update;
    std::string as_node;
};

// One checkpoint a step, see CompiledGraph::update_state. `state` is of the program's type and only used for the work.
asio::awaitable<Result<std::string>> update_thread(std::shared_ptr<const Program> program, CheckpointKey key, void* state,
                                                   std::vector<std::vector<NodeUpdate>> steps);

}  // namespace plimsoll::graph
