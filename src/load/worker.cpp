#include "load/worker.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "load/backoff.h"
#include "net/io_pool.h"

namespace plimsoll::load {
namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// Starts that are due at once before the io thread looks at its sockets again.
constexpr int kBurst = 64;

void raise_to(std::atomic<int>& peak, int value) {
    int seen = peak.load(std::memory_order_relaxed);
    while (value > seen && !peak.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
    }
}

void log_exception(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const boost::system::system_error& e) {
        // Cancelled before its first step.
        if (e.code() != asio::error::operation_aborted) log_error("a session of the load run: {}", e.what());
    } catch (const std::exception& e) {
        log_error("a session of the load run: {}", e.what());
    }
}

}  // namespace

struct Worker::Session {
    const Script& script;
    SessionRecord record;
    std::vector<Message> conversation;
    Clock::time_point ended;  // when the step that ended last did, which may be before this thread knew

    // What a failed call would have led to does not happen.
    bool has_failed() const { return !record.calls.empty() && record.calls.back().error; }
};

Worker::Worker(SharedRun& shared, asio::io_context& context, std::unique_ptr<Target> target, int index)
    : shared_(shared),
      context_(context),
      target_(std::move(target)),
      index_(index),
      random_(shared.plan.seed + 1 + static_cast<std::uint64_t>(index)),
      all_ended_(context, Clock::time_point::max()) {}

asio::awaitable<void> Worker::run() {
    const LoadPlan& plan = shared_.plan;
    if (plan.open) {
        co_await run_arrivals();
    } else {
        for (int user = index_; user < plan.users; user += plan.threads) spawn(run_user(user));
    }
    while (!flights_.empty()) co_await all_ended_.async_wait(kTuple);
}

void Worker::stop() {
    stopping_ = true;
    for (asio::steady_timer* timer : waits_) timer->cancel();
}

void Worker::abort() {
    stop();
    aborted_ = true;
    // A cancelled session may end at once and leave the list.
    for (auto flight = flights_.begin(); flight != flights_.end();) (flight++)->emit(asio::cancellation_type::terminal);
}

std::vector<SessionRecord> Worker::take_records() {
    const std::lock_guard lock(mutex_);
    return std::exchange(ended_, {});
}

void Worker::keep(SessionRecord record) {
    const std::lock_guard lock(mutex_);
    if (ended_.size() < kMaxPending)
        ended_.push_back(std::move(record));
    else
        ++shared_.lost_records;
}

bool Worker::may_start() const {
    const LoadPlan& plan = shared_.plan;
    return !stopping_ && (plan.duration.count() == 0 || Clock::now() < shared_.start + plan.duration);
}

void Worker::spawn(asio::awaitable<void> work) {
    flights_.emplace_back();
    const auto flight = std::prev(flights_.end());
    asio::co_spawn(context_, std::move(work), asio::bind_cancellation_slot(flight->slot(), [this, flight](std::exception_ptr error) {
                       if (error) log_exception(error);
                       flights_.erase(flight);
                       if (flights_.empty()) all_ended_.cancel();
                   }));
}

// False when stop() came first.
asio::awaitable<bool> Worker::wait_until(Clock::time_point due) {
    asio::steady_timer timer(context_, due);
    waits_.push_back(&timer);
    const auto place = std::prev(waits_.end());
    co_await timer.async_wait(kTuple);
    waits_.erase(place);
    co_return !stopping_;
}

// Slot n belongs to thread n modulo their number; each walks through the same schedule.
asio::awaitable<void> Worker::run_arrivals() {
    const LoadPlan& plan = shared_.plan;
    Arrivals arrivals(plan.arrivals);
    int burst = 0;
    for (std::uint64_t slot = 0; plan.max_sessions == 0 || slot < plan.max_sessions; ++slot) {
        const auto offset = arrivals.next();
        if (!offset || (plan.duration.count() > 0 && *offset >= plan.duration)) break;
        if (slot % static_cast<std::uint64_t>(plan.threads) != static_cast<std::uint64_t>(index_)) continue;
        const Clock::time_point due = shared_.start + *offset;
        if (due > Clock::now()) {
            burst = 0;
            const bool go = co_await wait_until(due);
            if (!go) break;
        } else if (++burst == kBurst) {
            burst = 0;
            co_await asio::post(context_, asio::use_awaitable);
        }
        if (stopping_) break;
        if (shared_.sessions.load(std::memory_order_relaxed) >= plan.max_in_flight) {
            ++shared_.dropped;
            continue;
        }
        ++shared_.started;
        ++shared_.sessions;
        spawn(run_session(slot, due));
    }
}

asio::awaitable<void> Worker::run_user(int user) {
    const LoadPlan& plan = shared_.plan;
    // The user's intended next start: a plan, not what became of it.
    Clock::time_point due = shared_.start + plan.ramp_up * user / plan.users;
    int failures = 0;  // in a row
    for (;;) {
        if (due > Clock::now()) {
            const bool go = co_await wait_until(due);
            if (!go) co_return;
        }
        if (!may_start()) co_return;
        const std::uint64_t number = shared_.started++;
        if (plan.max_sessions > 0 && number >= plan.max_sessions) {
            --shared_.started;
            co_return;
        }
        ++shared_.sessions;
        const Nanoseconds begin = Clock::now() - shared_.start;
        Ending ending;
        co_await run_session(number, due, &ending);
        if (aborted_) co_return;
        const Nanoseconds think =
            plan.exponential_think ? from_seconds(-to_seconds(plan.think) * std::log1p(-random_.uniform())) : plan.think;
        due = ending.at + think;
        failures = ending.failure ? failures + 1 : 0;
        if (failures == 0) continue;
        const Clock::time_point earliest =
            shared_.start + earliest_start(begin, ending.at - shared_.start, *ending.failure, failures, random_);
        if (earliest > due) ++shared_.put_off;
        due = std::max(due, earliest);
    }
}

asio::awaitable<void> Worker::run_session(std::uint64_t number, Clock::time_point intended, Ending* ending) {
    Session session{shared_.book[number % shared_.book.size()], {}, {}, Clock::now()};
    session.record.number = number;
    session.record.intended = offset(intended);
    session.record.start = offset(session.ended);
    session.record.calls.reserve(session.script.steps.size());
    try {
        if (session.script.is_chain()) {
            co_await run_chain(session);
        } else {
            co_await run_graph(session);
        }
    } catch (const boost::system::system_error& error) {
        if (error.code() != asio::error::operation_aborted) throw;
        session.record.unfinished = true;
        session.ended = Clock::now();
    }
    session.record.end = offset(session.ended);
    if (ending && session.has_failed()) ending->failure = session.record.calls.back().error;
    keep(std::move(session.record));
    --shared_.sessions;
    if (ending) ending->at = session.ended;
}

asio::awaitable<void> Worker::run_chain(Session& session) {
    Clock::time_point ready = shared_.start + Nanoseconds(session.record.intended);
    for (int i = 0; std::cmp_less(i, session.script.steps.size()); ++i) {
        co_await run_step(session, i, ready);
        if (session.has_failed()) co_return;
        ready = session.ended;
    }
}

// Every step is spawned once all it comes after has ended; the session joins them whatever happens.
asio::awaitable<void> Worker::run_graph(Session& session) {
    const auto& steps = session.script.steps;
    co_await asio::this_coro::throw_if_cancelled(false);
    std::vector<std::size_t> missing;
    std::vector<std::vector<int>> followers(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        missing.push_back(steps[i].after.size());
        for (const int before : steps[i].after) followers[static_cast<std::size_t>(before)].push_back(static_cast<int>(i));
    }
    std::vector<asio::cancellation_signal> cancels(steps.size());
    std::vector<int> ready;
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (missing[i] == 0) ready.push_back(static_cast<int>(i));
    std::size_t running = 0;
    bool cancelled = false;
    asio::steady_timer changed(context_, Clock::time_point::max());
    Clock::time_point now = shared_.start + Nanoseconds(session.record.intended);
    for (;;) {
        while (!ready.empty() && !cancelled && !session.has_failed()) {
            const int index = ready.back();
            ready.pop_back();
            ++running;
            asio::co_spawn(
                context_, run_step(session, index, now),
                asio::bind_cancellation_slot(cancels[static_cast<std::size_t>(index)].slot(), [&, index](std::exception_ptr error) {
                    if (error) log_exception(error);
                    --running;
                    if (session.has_failed()) {
                        changed.cancel();
                        return;
                    }
                    for (const int next : followers[static_cast<std::size_t>(index)])
                        if (--missing[static_cast<std::size_t>(next)] == 0) ready.push_back(next);
                    changed.cancel();
                }));
        }
        if (running == 0) break;
        co_await changed.async_wait(kTuple);
        now = session.ended;
        if (cancelled || (co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) continue;
        cancelled = true;
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        for (auto& cancel : cancels) cancel.emit(asio::cancellation_type::terminal);
    }
    if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
    co_await asio::this_coro::throw_if_cancelled(true);
}

asio::awaitable<void> Worker::run_step(Session& session, int index, Clock::time_point ready) {
    const ScriptStep& step = session.script.steps[static_cast<std::size_t>(index)];
    const Clock::time_point due = ready + step.delay;
    if (step.delay.count() > 0) co_await net::sleep_until(due);
    if (step.kind == ScriptStep::Kind::call) {
        co_await run_call(session, index, due);
    } else {
        if (step.duration.count() > 0) co_await net::sleep_until(due + step.duration);
        session.ended = Clock::now();
    }
}

asio::awaitable<void> Worker::run_call(Session& session, int index, Clock::time_point intended) {
    const ScriptStep& step = session.script.steps[static_cast<std::size_t>(index)];
    CallInput input;
    input.session = session.record.number;
    input.max_tokens = step.max_tokens;
    input.exact_tokens = step.exact_tokens;
    input.model = step.name;
    if (step.in_conversation) input.messages = session.conversation;
    input.messages.insert(input.messages.end(), step.messages.begin(), step.messages.end());
    if (step.made_up_tokens > 0)
        input.messages.push_back(make_up_question(step, shared_.plan.seed, session.record.number, static_cast<std::size_t>(index)));

    Answer answer;
    answer.keep_tokens = shared_.plan.keep_tokens;
    answer.keep_text = step.in_conversation;
    answer.start = Clock::now();
    raise_to(shared_.peak_calls, ++shared_.calls);

    // Written however the call ends, by cancellation too.
    struct Record {
        Worker& worker;
        Session& session;
        Answer& answer;
        CallRecord call;
        ~Record() {
            --worker.shared_.calls;
            call.start = worker.offset(answer.start);
            session.ended = answer.end.value_or(Clock::now());
            call.end = worker.offset(session.ended);
            if (answer.first) call.first = worker.offset(*answer.first);
            call.pieces = answer.pieces;
            call.prompt_tokens = answer.prompt_tokens;
            call.completion_tokens = answer.completion_tokens;
            call.error = std::move(answer.error);
            call.token_us = std::move(answer.token_us);
            call.steps = std::move(answer.steps);
            session.record.calls.push_back(std::move(call));
        }
    };
    Record record{*this, session, answer, {}};
    record.call.step = index;
    record.call.intended = offset(intended);
    record.call.unfinished = true;
    co_await target_->call(input, Deadline::after(shared_.plan.call_timeout), answer);
    record.call.unfinished = false;
    if (step.in_conversation) {
        session.conversation = std::move(input.messages);
        session.conversation.push_back({"assistant", std::move(answer.text)});
    }
}

}  // namespace plimsoll::load
