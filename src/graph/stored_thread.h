// From what a thread remembers back to a run that can go on, and the inputs and records that a run leaves there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/interrupt.h"
#include "graph/progress.h"
#include "graph/task.h"

namespace plimsoll::graph {

// saver.get(), whose exceptions become errors.
asio::awaitable<Result<std::optional<StoredCheckpoint>>> fetch_checkpoint(CheckpointSaver& saver, CheckpointKey key);

// Puts a new state and the checkpoint into `progress`, its step included. Errors: parse, not_found.
Result<void> load_progress(const Program& program, Progress& progress, const StoredCheckpoint& stored);

// Prepares for an input, either the state that is in `progress` (`is_state`) or what `update` writes. On a known thread
// (`stored`) the state becomes what the thread has, without what was planned, and a state's values move to `update`.
// Returns whether the state in `progress` is the input itself.
Result<bool> take_input(const Program& program, Progress& progress, bool is_state, const StoredCheckpoint* stored, UpdateData& update);

// What kStart holds in an input checkpoint: {"writes": [[channel, value], …], "targets": [names]}; of a whole state all its values.
// Sends cannot be part of an input (invalid_argument).
Result<json::value> input_to_json(const Program& program, const UpdateData& update, const Progress* whole);
Result<UpdateData> input_from_json(const Program& program, const Blob& input);

// Updates that came with an answer are stored as the writes of tasks that no node has.
std::string make_update_key(std::size_t n);
// Applies them in order; returns how many there were.
Result<std::size_t> apply_stored_updates(const Program& program, Progress& progress, const std::vector<PendingWrite>& pending);

// Marks the tasks that have ended well, with what they wrote, and gives the others the answers they have got.
Result<void> restore_tasks(const Program& program, const std::vector<PendingWrite>& pending, std::vector<Task>& tasks);
// The questions of tasks that have not ended.
Result<std::vector<Interrupt>> open_interrupts(const std::vector<PendingWrite>& pending, const std::vector<Task>& tasks);
// Errors: invalid_argument when an answer does not say which of several questions it is for, or is for none that is open.
Result<Answers> resolve_answers(const Resume& resume, const std::vector<PendingWrite>& pending, const std::vector<Task>& tasks);

// What is to be remembered of a task when its step breaks off: its writes, its error or its questions; may be nothing.
std::vector<PendingWrite> task_records(const Program& program, const Task& task);

}  // namespace plimsoll::graph
