// Tells whoever watches a run what happens in it. Does nothing, and costs next to nothing, when nobody asked for the mode.
// An exception of the watcher's callback passes through. One thread.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "graph/checkpoint_log.h"
#include "graph/progress.h"
#include "graph/run_options.h"
#include "graph/task.h"

namespace plimsoll::graph {

class RunEvents {
  public:
    // All must outlive the object.
    RunEvents(const Program& program, const RunOptions& options, std::string_view space)
        : program_(program), options_(options), space_(space) {}

    bool wants(StreamMode mode) const { return options_.on_event && has_mode(options_.modes, mode); }
    // Whether a task's key is shown.
    bool wants_tasks() const { return wants(StreamMode::tasks | StreamMode::debug); }

    void values(const Progress& progress) const;
    // `triggers` of the task, in tasks and debug.
    void task(const Task& task, const Progress& progress) const;
    void update(const Task& task) const;
    void interrupts(const Task& task, const Progress& progress) const;
    void stop() const;  // before or after a node, as the graph's options ask
    void task_result(const Task& task) const;
    void node_event(StreamEvent::Kind kind, const Task& task, const json::value& data) const;
    void checkpoint(const CheckpointLog& log, const Progress& progress, std::span<const Task> next) const;

  private:
    StreamEvent make(StreamEvent::Kind kind) const;
    StreamEvent make(StreamEvent::Kind kind, const Task& task) const;

    const Program& program_;
    const RunOptions& options_;
    std::string_view space_;
};

}  // namespace plimsoll::graph
