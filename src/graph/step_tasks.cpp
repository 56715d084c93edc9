#include "graph/step_tasks.h"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "graph/pending_writes.h"
#include "graph/write_groups.h"

namespace plimsoll::graph {

// Records one execution of a node; does nothing without a session.
class StepTasks::NodeSpan {
  public:
    NodeSpan(const event::Context& outer, const Node& node) : outer_(outer) {
        if (outer.session) span_ = std::make_unique<event::ScopedSpan>(outer, event::Category::function, node.span_name, nullptr);
    }

    const event::Context& context() const { return span_ ? span_->context() : outer_; }

    void fail(const Error& error) {
        if (span_) span_->fail(error);
    }

    void end(const Program& program, const std::vector<Write>& writes) {
        if (!span_) return;
        json::array names;
        for (const Write& write : writes) names.emplace_back(program.channels[write.channel]->name());
        span_->set_output(std::move(names));
        span_->end();
    }

    // Asked, or stopped inside: neither a result nor a failure.
    void end_unfinished(const Task& task) {
        if (!span_) return;
        span_->set_metadata("interrupts", task.interrupts.size());
        span_->end();
    }

  private:
    const event::Context& outer_;
    std::unique_ptr<event::ScopedSpan> span_;  // apart from the frames of the many nodes that wait without a session
};

StepTasks::StepTasks(const Program& program, const event::Context& context, const RunScope& scope, const Progress& progress,
                     const RunEvents& events, const asio::any_io_executor& executor)
    : program_(program), context_(context), scope_(scope), progress_(progress), events_(events), executor_(executor) {}

void StepTasks::begin_step(std::vector<Task>& tasks) {
    first_send_ = 0;
    while (first_send_ < tasks.size() && !tasks[first_send_].is_send()) ++first_send_;
}

const std::string& StepTasks::key_of(Task& task) {
    if (task.key.empty()) task.key = make_task_key(checkpoint_id(), scope_.space, task, first_send_);
    return task.key;
}

asio::awaitable<void> StepTasks::run(std::vector<Task>& tasks) {
    tasks_ = &tasks;
    if (is_alone(tasks)) return run_coroutine(tasks.front());
    return run_many();
}

asio::awaitable<void> StepTasks::run_many() {
    beside_ = std::make_unique<SideBySide>(executor_, tasks_->size());
    has_unstored_ = false;
    start_more();
    while (beside_->running > 0 || has_more()) {
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) cancelled_ = true;
        if (stopped()) {
            cancel_all();
        } else if (beside_->running == 0) {
            co_await scope_.stream->wait_room();  // only the reader's pace holds the next task back
            start_more();
            continue;
        } else if (log_ && has_unstored_) {
            co_await store_finished();
            continue;
        }
        boost::system::error_code woken;  // by on_end() or by a cancellation; the loop looks which
        if (beside_->running > 0) co_await beside_->wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    beside_ = nullptr;
}

// What has ended survives the process while its siblings still run; what all have written is in the checkpoint that follows.
asio::awaitable<void> StepTasks::store_finished() {
    has_unstored_ = false;
    std::vector<PendingWrite> writes;
    auto stored = caught([&]() -> Result<void> {
        for (Task& task : *tasks_) {
            if (!task.done || task.stored) continue;
            key_of(task);
            const auto own = to_pending_writes(program_, task);
            writes.insert(writes.end(), own.begin(), own.end());
            task.stored = true;
        }
        return {};
    });
    if (stored) stored = co_await log_->add_writes(std::move(writes));
    if (!stored && !stopped()) fail_step(stored.error());
}

void StepTasks::start_more() {
    const std::size_t most = scope_.options.max_concurrency;
    while (has_more() && (most == 0 || beside_->running < most) && !must_wait_for_reader()) {
        const std::size_t index = beside_->next++;
        Task& task = (*tasks_)[index];
        if (task.done) continue;
        if (task.node->is_plain()) {
            run_plain(task);
            continue;
        }
        ++beside_->running;
        asio::co_spawn(
            executor_, run_coroutine(task),
            asio::bind_cancellation_slot(beside_->stop_signals[index].slot(), [this](std::exception_ptr exception) { on_end(exception); }));
    }
}

void StepTasks::on_end(std::exception_ptr exception) {
    --beside_->running;
    if (exception && !stopped()) fail_step(error_of(exception));
    start_more();
    if (beside_->running == 0 || stopped() || (log_ && has_unstored_)) beside_->wake.cancel();
}

void StepTasks::cancel_all() {
    for (std::size_t i = 0; i < beside_->next; ++i) beside_->stop_signals[i].emit(asio::cancellation_type::terminal);
}

void StepTasks::run_plain(Task& task) {
    NodeSpan span(context_, *task.node);
    auto result = caught([&] { return task.node->call(make_call(task, span.context())); });
    settle(task, span, result);
}

// Waiting sessions sit in this frame, which has a slot for whatever is inlined into it; so what it calls is not.
asio::awaitable<void> StepTasks::run_coroutine(Task& task) {
    NodeSpan span(context_, *task.node);
    const NodeCall call = make_call(task, span.context());
    std::string cache_key;
    if (task.node->cache && find_cached(task, call, cache_key)) {
        span.end(program_, task.writes);
        co_return;
    }
    Result<UpdateData> result;
    try {
        result = co_await start(call, task);
    } catch (NodeInterrupted& asked) {
        settle_interrupted(task, span, asked);
        co_return;
    } catch (...) {
        note_exception(result);
    }
    settle(task, span, result);
    if (task.node->cache) store_cached(task, cache_key);
}

asio::awaitable<Result<UpdateData>> StepTasks::start(const NodeCall& call, Task& task) {
    if (task.node->has_policy()) return run_with_policy(call, task, executor_);
    return task.node->start(call);
}

void StepTasks::note_exception(Result<UpdateData>& result) { result = fail(error_of(std::current_exception())); }

void StepTasks::store_cached(const Task& task, const std::string& key) {
    if (task.done && !key.empty()) program_.cache->put(key, to_pending_writes(program_, task), task.node->cache->ttl);
}

// Fills in `key`; true when the task's result was found under it.
bool StepTasks::find_cached(Task& task, const NodeCall& call, std::string& key) {
    const auto found = caught([&]() -> Result<bool> {
        json::object values;
        if (task.is_send()) {
            if (!task.node->argument_to_json) return fail(ErrorCode::unsupported, "a cached node's argument needs a JSON conversion");
            values.emplace("argument", task.node->argument_to_json(task.argument));
        } else {
            for (const auto& channel : program_.channels)
                if (channel->has_json() && channel->is_present(call.input)) values.emplace(channel->name(), channel->to_json(call.input));
        }
        key = hash_hex({task.node->name, to_compact_json(values)});
        const auto writes = program_.cache->get(key);
        if (!writes) return false;
        for (const PendingWrite& write : *writes) PLIMSOLL_TRY(add_pending_write(program_, write, task));
        task.done = task.cached = has_unstored_ = true;
        events_.update(task);
        events_.task_result(task);
        return true;
    });
    if (!found && !stopped()) fail_step(found.error().with_context("node " + task.node->name));
    return !found || *found;
}

NodeCall StepTasks::make_call(Task& task, const event::Context& context) {
    const void* input = progress_.state();
    if (task.is_send()) input = task.node->argument_of(task.argument);
    task.step = this;
    const StepInfo info{task.id, stop_step_ - task.id.step, &task};
    return {context, input, info, &scope_, resuming_};
}

void StepTasks::settle(Task& task, NodeSpan& span, Result<UpdateData>& result) {
    task.step = nullptr;
    if (result && result->to_parent) {
        span.end(program_, {});
        if (!stopped()) for_parent_ = std::make_unique<UpdateData>(std::move(*result));
        return;
    }
    const auto settled = caught([&]() -> Result<void> {
        if (!result) return fail(std::move(result).error());
        PLIMSOLL_TRY(absorb(task, std::move(*result)));
        if (!stopped()) events_.update(task);
        return {};
    });
    if (settled) {
        task.done = has_unstored_ = true;
        span.end(program_, task.writes);
    } else {
        span.fail(settled.error());
        if (!stopped()) {
            task.error = std::make_unique<Error>(settled.error());
            fail_step(settled.error().with_context("node " + task.node->name));
        }
    }
    if (!task.done && !task.error) return;
    const auto told = caught([&]() -> Result<void> {
        events_.task_result(task);
        return {};
    });
    if (!told && !stopped()) fail_step(told.error());
}

void StepTasks::settle_interrupted(Task& task, NodeSpan& span, NodeInterrupted& interrupted) {
    task.step = nullptr;
    task.interrupts = std::move(interrupted.interrupts);
    (interrupted.drained ? drained_ : interrupted_) = true;
    span.end_unfinished(task);
    if (stopped() || task.interrupts.empty()) return;
    const auto told = caught([&]() -> Result<void> {
        events_.interrupts(task, progress_);
        events_.task_result(task);
        return {};
    });
    if (!told) fail_step(told.error());
}

asio::awaitable<void> StepTasks::write(Task& task, StreamEvent::Kind kind, json::value data) {
    task.last_sign = std::chrono::steady_clock::now();
    events_.node_event(kind, task, data);
    if (must_wait_for_reader()) co_await scope_.stream->wait_room();
}

Result<void> StepTasks::absorb(Task& task, UpdateData update) const {
    task.writes = std::move(update.writes);
    for (Write& write : task.writes) {
        const auto channel = program_.find_channel(write.member);
        if (!channel && !program_.state.ignores_unknown) return fail(ErrorCode::invalid_argument, "wrote a member that has no channel");
        write.channel = channel.value_or(kNoChannel);
    }
    if (program_.state.ignores_unknown) std::erase_if(task.writes, [](const Write& write) { return write.channel == kNoChannel; });
    for (Target& target : update.targets) PLIMSOLL_TRY(follow(task, std::move(target)));
    if (task.node->routers.empty()) return {};

    // Routers see this task's writes, and nobody else's: on a copy of the snapshot.
    const void* seen = progress_.state();
    std::shared_ptr<void> own;
    if (!task.writes.empty()) {
        own = program_.state.copy(seen);
        std::vector<Write> writes = task.writes;
        WriteGroups groups(program_);
        for (Write& write : writes) groups.add(write);
        PLIMSOLL_TRY(groups.apply(own.get()));
        seen = own.get();
    }
    for (const Router& router : task.node->routers)
        for (Target& target : router(seen)) PLIMSOLL_TRY(follow(task, std::move(target)));
    return {};
}

Result<void> StepTasks::follow(Task& task, Target target) const {
    const bool is_send = target.argument.has_value();
    if (target.node == kEnd && !is_send) return {};
    const auto index = program_.find_node(target.node);
    if (!index) return fail(ErrorCode::invalid_argument, fmt::format("goes to {}, which is no node", target.node));
    const Node& node = program_.nodes[*index];
    const std::type_index passed = is_send ? std::type_index(target.argument.type()) : program_.state.type;
    if (passed != node.input_type)
        return fail(ErrorCode::invalid_argument, fmt::format("{} takes another type than what was sent", target.node));
    if (is_send)
        task.sends.push_back({*index, std::move(target.argument)});
    else
        task.triggered.push_back({node.branch, 0});
    return {};
}

}  // namespace plimsoll::graph
