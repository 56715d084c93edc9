// The tasks of one superstep: runs them side by side on one snapshot, turns what each returns into writes, triggers and
// Sends, and on the first failure, go_to_parent or cancellation stops the rest and waits for it.
#pragma once

#include <any>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/program.h"
#include "graph/run_options.h"

namespace plimsoll::graph {

struct PendingSend {
    std::size_t node = 0;
    std::any argument;
};

struct Task {
    TaskId id;
    const Node* node = nullptr;
    std::any argument;  // of a Send; empty for a task that an edge triggered

    // What it did, complete once it has ended well.
    std::vector<Write> writes;
    std::vector<TriggerWrite> triggered;  // besides the node's edges
    std::vector<PendingSend> sends;

    bool is_send() const { return argument.has_value(); }
};

// The `internal` error of an exception in code that the graph called; `cancelled` when that code was cancelled.
Error error_of(std::exception_ptr exception);

// Calls fn, which returns a Result; its exception becomes an error_of().
template <class Fn>
std::invoke_result_t<Fn> caught(Fn fn) {
    try {
        return fn();
    } catch (...) {
        return fail(error_of(std::current_exception()));
    }
}

class StepTasks {
  public:
    // All references must outlive the object; `state` is the snapshot and must not change while run() runs.
    StepTasks(const Program& program, const event::Context& context, const RunOptions& options, const void* state,
              asio::any_io_executor executor);

    // Runs the tasks of one step; when it returns, none is left running. Then ask cancelled(), error() and take_for_parent().
    asio::awaitable<void> run(std::vector<Task>& tasks);

    // The same for a step of a single plain function, without a coroutine.
    void run_plain(Task& task);

    // Fills in what a task that returned `update` does next. Errors: invalid_argument. Routers may throw.
    Result<void> absorb(Task& task, UpdateData update) const;

    const std::optional<Error>& error() const { return error_; }
    bool cancelled() const { return cancelled_; }
    std::optional<UpdateData> take_for_parent() { return std::exchange(for_parent_, std::nullopt); }

  private:
    class NodeSpan;

    bool stopped() const { return error_ || for_parent_ || cancelled_; }
    void start_more();
    void on_end(std::exception_ptr exception);
    void cancel_all();
    asio::awaitable<void> run_coroutine(Task& task);
    NodeCall make_call(const Task& task, const event::Context& context) const;
    void settle(Task& task, NodeSpan& span, Result<UpdateData> result);
    Result<void> follow(Task& task, Target target) const;
    void emit_update(const Task& task) const;

    const Program& program_;
    const event::Context& context_;
    const RunOptions& options_;
    const void* state_;
    asio::any_io_executor executor_;
    asio::steady_timer wake_;  // never expires; cancelling it wakes run()

    std::vector<Task>* tasks_ = nullptr;
    std::vector<asio::cancellation_signal> stop_signals_;  // one a task
    std::size_t next_ = 0;                                 // first task not started
    std::size_t running_ = 0;                              // coroutines started and not ended
    std::optional<Error> error_;
    std::optional<UpdateData> for_parent_;
    bool cancelled_ = false;
};

}  // namespace plimsoll::graph
