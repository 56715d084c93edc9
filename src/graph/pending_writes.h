// What a task did, as pending writes and back: its channel writes, the triggers and Sends it chose, in that order.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/task.h"

namespace plimsoll::graph {

// At least one: a task that did nothing has kNoWrites. Writes to untracked channels are left out, for they are never stored.
std::vector<PendingWrite> to_pending_writes(const Program& program, const Task& task);
// Adds what `write` says to the task. Errors: parse. Channels, triggers and nodes that are no more: not_found.
Result<void> add_pending_write(const Program& program, const PendingWrite& write, Task& task);

json::value send_to_json(const Program& program, const PendingSend& send);
Result<PendingSend> send_from_json(const Program& program, const json::value& value);

// Whether the channel is one of the records about a task (error, interrupt, resume), not a part of its result.
bool is_record(std::string_view channel);

}  // namespace plimsoll::graph
