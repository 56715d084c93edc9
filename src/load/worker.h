// One io thread's part of a load run: its users or its share of the arrivals, and the sessions it has in flight.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "load/plan.h"
#include "load/record.h"
#include "load/script.h"
#include "load/target.h"

namespace plimsoll::load {

// What all threads of a run share. The counters are for progress and limits.
struct SharedRun {
    const LoadPlan& plan;
    const ScriptBook& book;
    Clock::time_point start;  // of the run; set before the workers begin

    std::atomic<std::uint64_t> started = 0;
    std::atomic<std::uint64_t> dropped = 0;
    std::atomic<std::uint64_t> put_off = 0;
    std::atomic<std::uint64_t> lost_records = 0;
    std::atomic<int> sessions = 0;
    std::atomic<int> calls = 0;
    std::atomic<int> peak_calls = 0;
};

class Worker {
  public:
    // Records wait here until take_records(); beyond it they are lost and counted.
    static constexpr std::size_t kMaxPending = 1'000'000;

    Worker(SharedRun& shared, asio::io_context& context, std::unique_ptr<Target> target, int index);

    // Starts what the plan says until it is over or stop()ped; returns once no session is in flight. On the worker's context.
    asio::awaitable<void> run();
    void stop();   // no more starts; on the worker's thread
    void abort();  // stop() and cancel what is in flight; on the worker's thread

    // Sessions that ended since the last call. Any thread.
    std::vector<SessionRecord> take_records();

  private:
    struct Session;  // what a session's coroutines need

    asio::awaitable<void> run_arrivals();
    asio::awaitable<void> run_user(int user);
    asio::awaitable<bool> wait_until(Clock::time_point due);
    bool may_start() const;

    void spawn(asio::awaitable<void> work);
    struct Ending {
        Clock::time_point at;
        std::optional<Error> failure;  // what ended the session, if it did not go well
    };
    asio::awaitable<void> run_session(std::uint64_t number, Clock::time_point intended, Ending* ending = nullptr);
    asio::awaitable<void> run_chain(Session& session);
    asio::awaitable<void> run_graph(Session& session);
    asio::awaitable<void> run_step(Session& session, int index, Clock::time_point ready);
    asio::awaitable<void> run_call(Session& session, int index, Clock::time_point intended);
    void keep(SessionRecord record);
    std::int64_t offset(Clock::time_point point) const { return (point - shared_.start).count(); }

    SharedRun& shared_;
    asio::io_context& context_;
    std::unique_ptr<Target> target_;
    int index_;
    Random random_;
    bool stopping_ = false;
    bool aborted_ = false;
    std::list<asio::cancellation_signal> flights_;  // one a spawned user or session
    std::list<asio::steady_timer*> waits_;          // of starts to come; stop() ends them
    asio::steady_timer all_ended_;

    std::mutex mutex_;
    std::vector<SessionRecord> ended_;
};

}  // namespace plimsoll::load
