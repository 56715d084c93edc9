// The tasks of one superstep: runs them side by side on one snapshot, turns what each returns into writes, triggers and
// Sends, and on the first failure, go_to_parent or cancellation stops the rest and waits for it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/checkpoint_log.h"
#include "graph/node_run.h"
#include "graph/program.h"
#include "graph/run_events.h"
#include "graph/run_scope.h"
#include "graph/task.h"

namespace plimsoll::graph {

// Of a write to a member that has no channel.
inline constexpr std::size_t kNoChannel = static_cast<std::size_t>(-1);

class StepTasks {
  public:
    // All references must outlive the object; `progress`'s state is the snapshot and must not change while run() runs.
    StepTasks(const Program& program, const event::Context& context, const RunScope& scope, const Progress& progress,
              const RunEvents& events, const asio::any_io_executor& executor);

    // The step before which the recursion limit ends the run.
    void set_stop_step(std::int64_t step) { stop_step_ = step; }
    // Against whose latest checkpoint tasks are named and their writes stored; null: nobody's.
    void set_log(CheckpointLog* log) { log_ = log; }
    // To questions of graphs inside the nodes.
    void set_answers(std::shared_ptr<const Answers> answers) { answers_ = std::move(answers); }
    const std::shared_ptr<const Answers>& answers() const { return answers_; }
    // The tasks of the next run() are those of a checkpoint that this run found: a graph inside one goes on where it stopped.
    void set_resuming(bool resuming) { resuming_ = resuming; }

    // A task that has none beside it: a cancellation reaches it by itself.
    static bool is_alone(const std::vector<Task>& tasks) {
        return tasks.size() == 1 && !tasks.front().done && !tasks.front().node->is_plain();
    }
    // Runs the tasks of one step that are not done; when it returns, none is left running. Then ask the functions below. The
    // awaiting coroutine must have throw_if_cancelled on for a task that is_alone(), and off for others.
    asio::awaitable<void> run(std::vector<Task>& tasks);
    // The awaiting coroutine was cancelled.
    void set_cancelled() { cancelled_ = true; }

    // The same for a step of a single plain function, without a coroutine.
    void run_plain(Task& task);

    // Fills in what a task that returned `update` does next. Errors: invalid_argument. Routers may throw.
    Result<void> absorb(Task& task, UpdateData update) const;

    // Of a task of the step that was given to run() or is about to be.
    const std::string& key_of(Task& task);
    std::string space_of(Task& task) { return join_space(scope_.space, task.node->name, key_of(task)); }
    // Sets where the Sends begin among the step's tasks; before the first key_of() of a step.
    void begin_step(std::vector<Task>& tasks);

    const Error* error() const { return error_.get(); }  // null: none
    bool cancelled() const { return cancelled_; }
    bool drained() const { return drained_; }          // a graph inside a node was
    bool interrupted() const { return interrupted_; }  // a node asked, or a graph inside one stopped at a node
    bool has_for_parent() const { return for_parent_ != nullptr; }
    std::unique_ptr<UpdateData> take_for_parent() { return std::move(for_parent_); }

    // For StepInfo.
    asio::awaitable<void> write(Task& task, StreamEvent::Kind kind, json::value data);
    const RunScope& scope() const { return scope_; }
    std::string checkpoint_id() const { return log_ ? log_->key().id : std::string(); }

  private:
    class NodeSpan;

    // What only tasks that run beside others need.
    struct SideBySide {
        explicit SideBySide(const asio::any_io_executor& executor, std::size_t tasks)
            : wake(executor, asio::steady_timer::time_point::max()), stop_signals(tasks) {}

        asio::steady_timer wake;                              // never expires; cancelling it wakes run_many()
        std::vector<asio::cancellation_signal> stop_signals;  // one a task
        std::size_t next = 0;                                 // first task not started
        std::size_t running = 0;                              // coroutines started and not ended
    };

    bool stopped() const { return error_ || for_parent_ || cancelled_; }
    bool has_more() const { return beside_->next < tasks_->size() && !stopped(); }
    bool must_wait_for_reader() const { return scope_.stream && scope_.stream->is_full(); }
    void start_more();
    void on_end(std::exception_ptr exception);
    void cancel_all();
    asio::awaitable<void> run_many();
    asio::awaitable<void> store_finished();
    asio::awaitable<void> run_coroutine(Task& task);
    void fail_step(Error error) { error_ = std::make_unique<Error>(std::move(error)); }
    NodeCall make_call(Task& task, const event::Context& context);
    // Parts of run_coroutine().
    [[gnu::noinline]] bool find_cached(Task& task, const NodeCall& call, std::string& key);
    [[gnu::noinline]] asio::awaitable<Result<UpdateData>> start(const NodeCall& call, Task& task);
    [[gnu::noinline]] static void note_exception(Result<UpdateData>& result);  // the one that is being handled
    [[gnu::noinline]] void settle(Task& task, NodeSpan& span, Result<UpdateData>& result);
    [[gnu::noinline]] void settle_interrupted(Task& task, NodeSpan& span, NodeInterrupted& interrupted);
    [[gnu::noinline]] void store_cached(const Task& task, const std::string& key);
    Result<void> follow(Task& task, Target target) const;

    const Program& program_;
    const event::Context& context_;
    const RunScope& scope_;
    const Progress& progress_;
    const RunEvents& events_;
    const asio::any_io_executor& executor_;
    CheckpointLog* log_ = nullptr;
    std::int64_t stop_step_ = 0;
    bool resuming_ = false;
    std::shared_ptr<const Answers> answers_;

    std::vector<Task>* tasks_ = nullptr;
    std::unique_ptr<SideBySide> beside_;  // while run_many() runs
    std::size_t first_send_ = 0;
    std::unique_ptr<Error> error_;
    std::unique_ptr<UpdateData> for_parent_;
    bool has_unstored_ = false;  // a task has ended well since the last store_finished()
    bool cancelled_ = false;
    bool drained_ = false;
    bool interrupted_ = false;
};

}  // namespace plimsoll::graph
