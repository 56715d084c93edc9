// A graph that runs, and what its threads remember.
//
//   Result<S> out = co_await graph.invoke(context, initial);                              // to the end, nothing kept
//   auto run = co_await graph.run(context, initial, {.thread = "t1"});                    // with a saver
//   if (run->ending == Ending::interrupted)                                               // it asks: run->interrupts
//       run = co_await graph.run(context, Resume{.answer = "yes"}, {.thread = "t1"});     // in this process or the next one
//   auto stream = graph.stream(context, initial, {.modes = StreamMode::updates});
//   while (auto chunk = co_await stream.next()) …
//   auto end = co_await stream.finish();
//
// Ownership: immutable, cheap to copy, may be used by many runs and threads at once. One run lives on one thread: the executor
// of the coroutine that awaits it must be a single io thread or a strand.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "event/session.h"
#include "graph/program.h"
#include "graph/run.h"
#include "graph/stream.h"
#include "graph/thread_state.h"

namespace plimsoll::graph {

// What a run begins with.
template <class S>
struct Input {
    // The state that the first nodes see. On a thread that is known every channel is written with its value.
    Input(S initial) : state(std::move(initial)) {}  // a state is an input
    // Some channels only, through their reducers; targets besides the edges from kStart.
    Input(Update<S> update) : how{.kind = RunInput::Kind::update, .update = std::move(update).take()} {}  // so is an update
    // Goes on where the thread stopped, after writing `update`.
    Input(Resume resume, Update<S> update = {})  // so is an answer
        : how{.kind = RunInput::Kind::resume, .update = std::move(update).take(), .resume = std::move(resume)} {}

    S state{};
    RunInput how;
};

template <class S>
struct RunResult {
    S state;
    Ending ending = Ending::finished;
    std::vector<Interrupt> interrupts;  // questions that wait
    std::string checkpoint;             // the latest one's id; empty without a saver
};

// What a thread remembers at one of its checkpoints. `values` has the writes of finished tasks of an unfinished step, too,
// unless the checkpoint was asked for by id.
template <class S>
struct StateSnapshot : ThreadState {
    S values{};
};

template <class S>
struct StateUpdate {
    Update<S> update;
    std::string as_node;  // whose edges and routers are followed; kStart: the input's
};

namespace detail {

inline RunScope make_scope(const Program& program, RunOptions options, std::shared_ptr<StreamBuffer> stream) {
    RunScope scope;
    scope.options = std::move(options);
    scope.saver = program.saver;
    if (stream) scope.options.on_event = make_stream_writer(stream, scope.options.modes);
    scope.stream = std::move(stream);
    return scope;
}

// Null for a state, which needs none of it while the session waits.
inline std::unique_ptr<RunInput> take_how(RunInput how) {
    return how.kind == RunInput::Kind::state ? nullptr : std::make_unique<RunInput>(std::move(how));
}

// Not inlined: the coroutines below, in which waiting sessions sit, have a slot for every temporary of what is.
template <class S>
[[gnu::noinline]] Result<RunResult<S>> make_result(Result<Outcome>& outcome, S& state) {
    if (!outcome) return fail(std::move(outcome).error());
    if (outcome->for_parent) return fail(ErrorCode::invalid_argument, "go_to_parent: this graph is not a node of another one");
    return RunResult<S>{std::move(state), outcome->ending, std::move(outcome->interrupts), std::move(outcome->checkpoint)};
}

template <class S>
[[gnu::noinline]] Result<S> make_final_state(Result<Outcome>& outcome, S& state) {
    auto result = make_result(outcome, state);
    if (!result) return fail(std::move(result).error());
    if (result->ending != Ending::finished) return fail(ErrorCode::unsupported, "invoke: the run stopped before its end; use run()");
    return std::move(result->state);
}

template <class S>
asio::awaitable<Result<RunResult<S>>> run_whole(std::shared_ptr<const Program> program, event::Context context, S state,
                                                std::unique_ptr<RunInput> how, RunScope scope) {
    auto outcome = co_await run_program(*program, context, &state, std::move(how), scope);
    co_return make_result(outcome, state);
}

template <class S>
asio::awaitable<Result<S>> run_to_end(std::shared_ptr<const Program> program, event::Context context, S state, RunScope scope) {
    auto outcome = co_await run_program(*program, context, &state, nullptr, scope);
    co_return make_final_state(outcome, state);
}

template <class S>
Result<StateSnapshot<S>> make_snapshot(const Program& program, const std::optional<StoredCheckpoint>& stored, bool with_pending) {
    StateSnapshot<S> snapshot;
    if (!stored) return snapshot;
    auto read = read_thread_state(program, *stored, with_pending, &snapshot.values);
    if (!read) return fail(std::move(read).error());
    static_cast<ThreadState&>(snapshot) = std::move(*read);
    return snapshot;
}

template <class S>
asio::awaitable<Result<StateSnapshot<S>>> get_state(std::shared_ptr<const Program> program, CheckpointKey key) {
    const bool with_pending = key.id.empty();
    const auto stored = co_await fetch_state(program, std::move(key));
    if (!stored) co_return fail(stored.error());
    co_return make_snapshot<S>(*program, *stored, with_pending);
}

template <class S>
asio::awaitable<Result<std::vector<StateSnapshot<S>>>> get_history(std::shared_ptr<const Program> program, std::string thread,
                                                                   ListOptions options) {
    const auto stored = co_await fetch_history(program, std::move(thread), std::move(options));
    if (!stored) co_return fail(stored.error());
    std::vector<StateSnapshot<S>> history;
    for (const StoredCheckpoint& one : *stored) {
        auto snapshot = make_snapshot<S>(*program, one, false);
        if (!snapshot) co_return fail(snapshot.error());
        history.push_back(std::move(*snapshot));
    }
    co_return history;
}

template <class S>
asio::awaitable<Result<std::string>> update_state(std::shared_ptr<const Program> program, CheckpointKey key,
                                                  std::vector<std::vector<StateUpdate<S>>> steps) {
    std::vector<std::vector<NodeUpdate>> untyped;
    for (auto& step : steps) {
        auto& updates = untyped.emplace_back();
        for (auto& one : step) updates.push_back({std::move(one.update).take(), std::move(one.as_node)});
    }
    S state{};
    co_return co_await update_thread(program, std::move(key), &state, std::move(untyped));
}

}  // namespace detail

template <class S>
class CompiledGraph {
  public:
    explicit CompiledGraph(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

    // Runs to the end and returns the final state. `initial` is the state the first nodes see. As run(), but one that
    // stops before its end is the error `unsupported`.
    asio::awaitable<Result<S>> invoke(event::Context context, S initial, RunOptions options = {}) const {
        return detail::run_to_end<S>(program_, std::move(context), std::move(initial),
                                     detail::make_scope(*program_, std::move(options), nullptr));
    }

    // Runs until nothing is left to do, or somebody has to be asked.
    // Errors: the first failing node's own; invalid_argument (channel conflicts, unknown targets, wrong options, an answer that
    // fits no question), not_found (a checkpoint), limit (recursion_limit, kMaxTasksPerStep), internal (exceptions), cancelled, and
    // the saver's. Cancelling the awaiting coroutine cancels the running tasks, waits for them and returns `cancelled`. With a
    // saver a thread can be resumed after each of these.
    asio::awaitable<Result<RunResult<S>>> run(event::Context context, Input<S> input, RunOptions options = {}) const {
        return detail::run_whole<S>(program_, std::move(context), std::move(input.state), detail::take_how(std::move(input.how)),
                                    detail::make_scope(*program_, std::move(options), nullptr));
    }

    // The run starts when next() or finish() is called first. options.on_event must be empty.
    Stream<RunResult<S>> stream(event::Context context, Input<S> input, RunOptions options = {},
                                std::size_t capacity = kStreamCapacity) const {
        return {[program = program_, context = std::move(context), input = std::move(input),
                 options = std::move(options)](std::shared_ptr<StreamBuffer> buffer) {
                    return detail::run_whole<S>(program, context, input.state, detail::take_how(input.how),
                                                detail::make_scope(*program, options, std::move(buffer)));
                },
                capacity};
    }

    // The rest needs a saver (invalid_argument without). An unknown thread has an empty snapshot, without checkpoint or values.
    asio::awaitable<Result<StateSnapshot<S>>> get_state(CheckpointKey key) const { return detail::get_state<S>(program_, std::move(key)); }
    // Newest first.
    asio::awaitable<Result<std::vector<StateSnapshot<S>>>> get_state_history(std::string thread, ListOptions options = {}) const {
        return detail::get_history<S>(program_, std::move(thread), std::move(options));
    }
    // Writes as if `as_node` had run: its successors are what runs next. Empty: the node that ran last, or kStart on a new
    // thread. kEnd: nothing runs next. Returns the new checkpoint's id.
    asio::awaitable<Result<std::string>> update_state(CheckpointKey key, Update<S> update, std::string as_node = {}) const {
        std::vector<std::vector<StateUpdate<S>>> steps(1);
        steps.front().push_back({std::move(update), std::move(as_node)});
        return detail::update_state<S>(program_, std::move(key), std::move(steps));
    }
    // Each inner list is one step, of several nodes at once.
    asio::awaitable<Result<std::string>> bulk_update_state(CheckpointKey key, std::vector<std::vector<StateUpdate<S>>> steps) const {
        return detail::update_state<S>(program_, std::move(key), std::move(steps));
    }

    const std::shared_ptr<const Program>& program() const { return program_; }

  private:
    std::shared_ptr<const Program> program_;
};

}  // namespace plimsoll::graph
