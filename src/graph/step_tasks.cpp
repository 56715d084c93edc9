#include "graph/step_tasks.h"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "graph/write_groups.h"

namespace plimsoll::graph {

Error error_of(std::exception_ptr exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) return {ErrorCode::cancelled, "cancelled"};
        return {ErrorCode::internal, error.what()};
    } catch (const std::exception& error) {
        return {ErrorCode::internal, error.what()};
    } catch (...) {
        return {ErrorCode::internal, "an exception of unknown type"};
    }
}

// Records one execution of a node; does nothing without a session.
class StepTasks::NodeSpan {
  public:
    NodeSpan(const event::Context& outer, const Node& node) : outer_(outer) {
        if (outer.session) span_.emplace(outer, event::Category::function, node.span_name, nullptr);
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

  private:
    const event::Context& outer_;
    std::optional<event::ScopedSpan> span_;
};

StepTasks::StepTasks(const Program& program, const event::Context& context, const RunOptions& options, const void* state,
                     asio::any_io_executor executor)
    : program_(program),
      context_(context),
      options_(options),
      state_(state),
      executor_(executor),
      wake_(executor, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> StepTasks::run(std::vector<Task>& tasks) {
    if (tasks.size() == 1 && tasks.front().node->start) {
        co_await run_coroutine(tasks.front());  // nothing to run beside it, and a cancellation reaches it by itself
    } else {
        tasks_ = &tasks;
        next_ = 0;
        stop_signals_ = std::vector<asio::cancellation_signal>(tasks.size());
        // From here to the end of the wait an exception would leave tasks running on a dead step.
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        start_more();
        while (running_ > 0) {
            const auto cancellation = co_await asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != asio::cancellation_type::none) cancelled_ = true;
            if (stopped()) cancel_all();
            boost::system::error_code woken;  // by on_end() or by a cancellation; the loop looks which
            co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) cancelled_ = true;
}

void StepTasks::start_more() {
    while (next_ < tasks_->size() && !stopped() && (options_.max_concurrency == 0 || running_ < options_.max_concurrency)) {
        const std::size_t index = next_++;
        Task& task = (*tasks_)[index];
        if (task.node->call) {
            run_plain(task);
            continue;
        }
        ++running_;
        asio::co_spawn(
            executor_, run_coroutine(task),
            asio::bind_cancellation_slot(stop_signals_[index].slot(), [this](std::exception_ptr exception) { on_end(exception); }));
    }
}

void StepTasks::on_end(std::exception_ptr exception) {
    --running_;
    if (exception && !stopped()) error_ = error_of(exception);
    start_more();
    if (running_ == 0 || stopped()) wake_.cancel();
}

void StepTasks::cancel_all() {
    for (std::size_t i = 0; i < next_; ++i) stop_signals_[i].emit(asio::cancellation_type::terminal);
}

void StepTasks::run_plain(Task& task) {
    NodeSpan span(context_, *task.node);
    settle(task, span, caught([&] { return task.node->call(make_call(task, span.context())); }));
}

asio::awaitable<void> StepTasks::run_coroutine(Task& task) {
    NodeSpan span(context_, *task.node);
    const NodeCall call = make_call(task, span.context());
    Result<UpdateData> result;
    try {
        result = co_await task.node->start(call);
    } catch (...) {
        result = fail(error_of(std::current_exception()));
    }
    settle(task, span, std::move(result));
}

NodeCall StepTasks::make_call(const Task& task, const event::Context& context) const {
    const void* input = state_;
    if (task.is_send()) input = task.node->argument_of(task.argument);
    return {context, input, {task.id, options_.recursion_limit - task.id.step}, &options_};
}

void StepTasks::settle(Task& task, NodeSpan& span, Result<UpdateData> result) {
    if (result && result->to_parent) {
        span.end(program_, {});
        if (!stopped()) for_parent_ = std::move(*result);
        return;
    }
    const auto settled = caught([&]() -> Result<void> {
        if (!result) return fail(std::move(result).error());
        PLIMSOLL_TRY(absorb(task, std::move(*result)));
        if (!stopped()) emit_update(task);
        return {};
    });
    if (settled) {
        span.end(program_, task.writes);
    } else {
        span.fail(settled.error());
        if (!stopped()) error_ = settled.error().with_context("node " + task.node->name);
    }
}

Result<void> StepTasks::absorb(Task& task, UpdateData update) const {
    task.writes = std::move(update.writes);
    for (Write& write : task.writes) {
        const auto channel = program_.find_channel(write.member);
        if (!channel) return fail(ErrorCode::invalid_argument, "wrote a member that has no channel");
        write.channel = *channel;
    }
    for (Target& target : update.targets) PLIMSOLL_TRY(follow(task, std::move(target)));
    if (task.node->routers.empty()) return {};

    // Routers see this task's writes, and nobody else's: on a copy of the snapshot.
    const void* seen = state_;
    std::shared_ptr<void> own;
    if (!task.writes.empty()) {
        own = program_.copy_state(state_);
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
    const std::type_index passed = is_send ? std::type_index(target.argument.type()) : program_.state_type;
    if (passed != node.input_type)
        return fail(ErrorCode::invalid_argument, fmt::format("{} takes another type than what was sent", target.node));
    if (is_send)
        task.sends.push_back({*index, std::move(target.argument)});
    else
        task.triggered.push_back({node.branch, 0});
    return {};
}

void StepTasks::emit_update(const Task& task) const {
    if (!options_.on_event) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::update;
    event.task = task.id;
    event.node = task.node->name;
    event.state_type = program_.state_type;
    event.writes = task.writes;
    event.program = &program_;
    options_.on_event(event);
}

}  // namespace plimsoll::graph
