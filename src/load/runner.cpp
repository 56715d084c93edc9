#include "load/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <optional>

#include "base/clock.h"
#include "load/worker.h"
#include "net/io_pool.h"

namespace plimsoll::load {
namespace {

// The threads start together, once all of them are ready.
constexpr std::chrono::milliseconds kHeadStart{20};

// Everything of a run on the calling thread.
class Run {
  public:
    Run(const LoadPlan& plan, const ScriptBook& book, const TargetFactory& target, const LoadObserver& observer, std::stop_token stop)
        : plan_(plan),
          observer_(observer),
          stop_(std::move(stop)),
          pool_(plan.threads),
          shared_{plan, book},
          signals_(control_),
          tick_(control_) {
        for (int i = 0; i < plan.threads; ++i) {
            auto& context = pool_.at(static_cast<std::size_t>(i));
            workers_.push_back(std::make_unique<Worker>(shared_, context, target(context.get_executor()), i));
        }
    }

    LoadOutcome run() {
        outcome_.wall_start = system_clock()() + std::chrono::duration<double>(kHeadStart).count();
        shared_.start = Clock::now() + kHeadStart;
        signals_.add(SIGINT);
        signals_.add(SIGTERM);
        wait_for_signal();
        for (std::size_t i = 0; i < workers_.size(); ++i)
            asio::co_spawn(pool_.at(i), workers_[i]->run(),
                           [this](std::exception_ptr error) { asio::post(control_, [this, error] { end_worker(error); }); });
        wait_for_tick();
        control_.run();
        pool_.stop();
        if (!failure_) {
            report_progress(Clock::now());
            take_records();
        }
        if (failure_) std::rethrow_exception(failure_);
        outcome_.elapsed = Clock::now() - shared_.start;
        if (!drain_end_) outcome_.starts_end = outcome_.elapsed;
        outcome_.started = shared_.started;
        outcome_.dropped = shared_.dropped;
        outcome_.put_off = shared_.put_off;
        outcome_.lost_records = shared_.lost_records;
        outcome_.peak_calls = shared_.peak_calls;
        return outcome_;
    }

  private:
    void end_worker(std::exception_ptr error) {
        if (error && !failure_) {
            failure_ = error;
            abort();
        }
        ++ended_;
        if (!is_over()) return;
        signals_.cancel();
        tick_.cancel();
    }

    // Asked by the handlers too: cancel() does not reach one that was due already, and it must not wait anew.
    bool is_over() const { return ended_ == workers_.size(); }

    void wait_for_signal() {
        signals_.async_wait([this](const boost::system::error_code& error, int) {
            if (error || is_over()) return;
            interrupt();
            wait_for_signal();
        });
    }

    void wait_for_tick() {
        tick_.expires_after(plan_.tick);
        tick_.async_wait([this](const boost::system::error_code& error) {
            if (error || is_over()) return;
            tick();
            wait_for_tick();
        });
    }

    void tick() {
        const auto now = Clock::now();
        if (stop_.stop_requested() && !outcome_.interrupted) interrupt();
        if (plan_.duration.count() > 0 && now >= shared_.start + plan_.duration) stop_starts(plan_.duration);
        if (plan_.open && now >= shared_.start + plan_.arrivals.length()) stop_starts(plan_.arrivals.length());
        if (drain_end_ && now >= *drain_end_ && !aborted_) abort();
        if (failure_) return;
        try {
            report_progress(now);
            take_records();
        } catch (...) {
            failure_ = std::current_exception();
            abort();
        }
    }

    void report_progress(Clock::time_point now) {
        if (observer_.on_progress)
            observer_.on_progress({.wall_start = outcome_.wall_start,
                                   .elapsed = now - shared_.start,
                                   .started = shared_.started,
                                   .dropped = shared_.dropped,
                                   .sessions = shared_.sessions,
                                   .calls = shared_.calls,
                                   .peak_calls = shared_.peak_calls,
                                   .draining = drain_end_.has_value()});
    }

    void take_records() {
        for (const auto& worker : workers_) {
            auto records = worker->take_records();
            if (!records.empty() && observer_.on_records) observer_.on_records(std::move(records));
        }
    }

    void interrupt() {
        if (std::exchange(outcome_.interrupted, true)) return abort();
        stop_starts(Clock::now() - shared_.start);
    }

    // From here on the drain counts. Workers end their starts themselves when the plan is over.
    void stop_starts(Nanoseconds at) {
        if (drain_end_) return;
        outcome_.starts_end = at;
        drain_end_ = Clock::now() + plan_.drain;
        on_workers(&Worker::stop);
    }

    void abort() {
        aborted_ = true;
        on_workers(&Worker::abort);
    }

    void on_workers(void (Worker::*action)()) {
        for (std::size_t i = 0; i < workers_.size(); ++i)
            asio::post(pool_.at(i), [worker = workers_[i].get(), action] { (worker->*action)(); });
    }

    const LoadPlan& plan_;
    const LoadObserver& observer_;
    std::stop_token stop_;
    asio::io_context control_{1};
    net::IoPool pool_;
    SharedRun shared_;
    std::vector<std::unique_ptr<Worker>> workers_;
    asio::signal_set signals_;
    asio::steady_timer tick_;
    std::size_t ended_ = 0;
    std::optional<Clock::time_point> drain_end_;
    bool aborted_ = false;
    std::exception_ptr failure_;  // of an observer or a worker; only the end is awaited then
    LoadOutcome outcome_;
};

}  // namespace

Result<void> check_plan(const LoadPlan& plan) {
    const auto wrong = [](std::string message) { return fail(ErrorCode::invalid_argument, std::move(message)); };
    if (plan.threads < 1) return wrong("a run has at least one thread");
    if (plan.max_in_flight < 1) return wrong("max_in_flight is at least 1");
    if (plan.call_timeout.count() <= 0) return wrong("a call's timeout is above 0");
    for (const Nanoseconds span : {plan.duration, plan.warmup, plan.drain, plan.think, plan.ramp_up})
        if (span.count() < 0) return wrong("a span of time is negative");
    if (plan.open) {
        if (plan.arrivals.stages.empty() && plan.arrivals.trace.empty())
            return wrong("an open loop has a rate, stages or recorded arrivals");
        if (plan.arrivals.cv <= 0) return wrong("the coefficient of variation is above 0");
        const Nanoseconds length = plan.duration.count() > 0 ? std::min(plan.duration, plan.arrivals.length()) : plan.arrivals.length();
        if (plan.warmup.count() > 0 && plan.warmup >= length) return wrong("the warm-up is as long as the run");
        return {};
    }
    if (plan.users < 1 || plan.users > kMaxUsers) return wrong(fmt::format("users is between 1 and {}", kMaxUsers));
    if (plan.duration.count() == 0 && plan.max_sessions == 0) return wrong("a closed loop ends by a duration or a number of sessions");
    if (plan.duration.count() > 0 && plan.warmup >= plan.duration) return wrong("the warm-up is as long as the run");
    return {};
}

Result<LoadOutcome> run_load(const LoadPlan& plan, const ScriptBook& book, const TargetFactory& target, const LoadObserver& observer,
                             std::stop_token stop) {
    PLIMSOLL_TRY(check_plan(plan));
    if (book.empty()) return fail(ErrorCode::invalid_argument, "there is nothing to ask");
    Run run(plan, book, target, observer, std::move(stop));
    return run.run();
}

}  // namespace plimsoll::load
