// How far a run is: the state, which triggers are written, the Sends for the next step. Steps are applied to it; checkpoints are
// made of it and turned into it.
//
// Call order: load() or nothing; then any number of apply(), each followed by plan(). One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "graph/program.h"
#include "graph/task.h"
#include "graph/trigger_state.h"
#include "graph/write_groups.h"

namespace plimsoll::graph {

// Every failure to read stored JSON says which part of which checkpoint it was.
Result<json::value> parse_blob(const Blob& blob, std::string_view what);
Blob make_blob(const json::value& value);

class Progress {
  public:
    // `program` and `state`, of its state type, must outlive the object.
    Progress(const Program& program, void* state);

    // The step that was applied last; 0 is the entry's on a new thread.
    std::int64_t step = 0;
    // Versions of all channels become those of the next applied step, as if all had been written.
    void touch_all() { all_touched_ = true; }

    // Applies what the tasks wrote, all at once and in their order. Returns whether any channel was written.
    // Errors: invalid_argument from a channel; the state is then between two steps.
    Result<bool> apply(std::vector<Task>& tasks);
    // The tasks of the next step. Errors: limit.
    Result<void> plan(std::vector<Task>& tasks);
    // Forgets what is planned: triggers that fire and Sends.
    void discard_planned();
    // Between two steps: what the tasks wrote and where they go, nothing else. Returns whether any channel was written.
    Result<bool> apply_writes(std::vector<Task>& tasks);

    // Brings `checkpoint`, which is empty, was loaded or was filled by the last call, up to date: values and versions of what
    // changed, whose names `checkpoint.updated` then has. Call when a step was applied and planned.
    void save(Checkpoint& checkpoint, std::span<const Task> planned) const;
    // Errors: parse. Channels and triggers that the program does not have are ignored.
    Result<void> load(const Checkpoint& checkpoint);

    std::span<const Version> versions() const { return versions_; }
    bool is_present(std::size_t channel) const;
    const void* state() const { return state_; }
    void* state() { return state_; }
    // Names of the triggers that made the task run. Only right between plan() and apply().
    std::vector<std::string_view> triggers_of(const Task& task) const;
    // The node that ran last; nullopt when several did, or none.
    std::optional<std::size_t> last_node() const;

  private:
    void gather(std::vector<Task>& tasks);
    bool note_written_channels();
    void add_triggered_tasks(std::vector<Task>& tasks);
    Result<void> load_sends(const Checkpoint& checkpoint);

    const Program& program_;
    void* state_;
    Version version_ = 0;  // of everything that the last applied step changed
    std::vector<TriggerState> triggers_;
    std::vector<PendingSend> sends_;
    WriteGroups groups_;
    std::vector<Version> versions_;  // per channel: when it changed last
    std::vector<bool> filled_;       // per channel: holds a value that a transient one has to drop
    bool all_touched_ = false;
};

}  // namespace plimsoll::graph
