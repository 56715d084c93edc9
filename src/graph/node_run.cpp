#include "graph/node_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/random.h"

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

namespace {

using Clock = std::chrono::steady_clock;

asio::awaitable<Result<UpdateData>> call_node(const NodeCall& call, const Node& node) {
    if (node.call) co_return caught([&] { return node.call(call); });
    try {
        co_return co_await node.start(call);
    } catch (const NodeInterrupted&) {
        throw;
    } catch (...) {
        co_return fail(error_of(std::current_exception()));
    }
}

// An attempt that runs beside the clock.
struct Attempt {
    explicit Attempt(const asio::any_io_executor& executor) : clock(executor) {}

    asio::steady_timer clock;
    asio::cancellation_signal stop;
    bool ended = false;
    std::exception_ptr exception;
    Result<UpdateData> result;
};

Clock::time_point next_limit(const Timeouts& timeouts, Clock::time_point started, const Task& task) {
    auto limit = Clock::time_point::max();
    if (timeouts.run) limit = started + *timeouts.run;
    if (timeouts.idle) limit = std::min(limit, task.last_sign + *timeouts.idle);
    return limit;
}

asio::awaitable<Result<UpdateData>> run_timed(const NodeCall& call, Task& task, asio::any_io_executor executor, bool& timed_out) {
    // Until the attempt has ended an exception would leave it running on a dead frame.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    Attempt attempt(executor);
    const auto started = task.last_sign = Clock::now();
    asio::co_spawn(executor, call_node(call, *task.node),
                   asio::bind_cancellation_slot(attempt.stop.slot(), [&attempt](std::exception_ptr exception, Result<UpdateData> result) {
                       attempt.exception = exception;
                       attempt.result = std::move(result);
                       attempt.ended = true;
                       attempt.clock.cancel();
                   }));
    bool stopping = false;
    while (!attempt.ended) {
        const auto limit = stopping ? Clock::time_point::max() : next_limit(task.node->timeouts, started, task);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (!stopping && (cancellation.cancelled() != asio::cancellation_type::none || limit <= Clock::now())) {
            timed_out = cancellation.cancelled() == asio::cancellation_type::none;
            stopping = true;
            attempt.stop.emit(asio::cancellation_type::terminal);
            continue;
        }
        attempt.clock.expires_at(limit);
        boost::system::error_code woken;  // by the clock, the end of the attempt or a cancellation; the loop looks which
        co_await attempt.clock.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
    if (timed_out) {
        const auto elapsed = std::chrono::duration<double>(Clock::now() - started).count();
        co_return fail(ErrorCode::timeout, fmt::format("over its time limit after {:.3f} s", elapsed));
    }
    if (attempt.exception) std::rethrow_exception(attempt.exception);
    co_return std::move(attempt.result);
}

Clock::duration delay_before(int attempt, const RetryPolicy& policy, const NodeCall& call) {
    constexpr double kJitterMs = 1000;
    double delay_ms = static_cast<double>(policy.initial.count());
    for (int i = 1; i < attempt; ++i) delay_ms = std::min(delay_ms * policy.factor, static_cast<double>(policy.max.count()));
    delay_ms = std::min(delay_ms, static_cast<double>(policy.max.count()));
    if (policy.jitter) {
        if (call.context.session) {
            delay_ms += kJitterMs * call.context.session->random().uniform();
        } else {
            Random random = Random::from_entropy();
            delay_ms += kJitterMs * random.uniform();
        }
    }
    return std::chrono::microseconds(static_cast<std::int64_t>(delay_ms * 1000));
}

const RetryPolicy* find_policy(const std::vector<RetryPolicy>& policies, const NodeFailure& failure) {
    const auto found = std::ranges::find_if(policies, [&](const RetryPolicy& policy) { return policy.retry_on(failure); });
    return found == policies.end() ? nullptr : &*found;
}

}  // namespace

asio::awaitable<Result<UpdateData>> run_with_policy(const NodeCall& first_call, Task& task, asio::any_io_executor executor) {
    const Node& node = *task.node;
    NodeCall call = first_call;
    for (int attempt = 1;; ++attempt) {
        task.asked = 0;
        Result<UpdateData> result;
        bool timed_out = false;
        if (node.timeouts.run || node.timeouts.idle)
            result = co_await run_timed(call, task, executor, timed_out);
        else
            result = co_await call_node(call, node);
        if (result || result.error().code == ErrorCode::cancelled) co_return result;

        const NodeFailure failure{result.error(), timed_out};
        const RetryPolicy* policy = find_policy(node.retry, failure);
        if (!policy || attempt >= policy->attempts) {
            if (!node.handle_error) co_return result;
            co_return node.handle_error(call, result.error());
        }
        asio::steady_timer pause(executor, delay_before(attempt, *policy, call));
        co_await pause.async_wait(asio::use_awaitable);
        call.resuming = true;
    }
}

}  // namespace plimsoll::graph
