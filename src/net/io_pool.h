// The program's io threads: one io_context each, so that whatever starts on a thread stays there and needs no lock.
// Blocking or heavy work goes to compute(), never to an io thread.
//
// The pool outlives everything that uses its contexts. run(), stop() and the destructor belong to the thread that made it;
// next() may be called from any thread.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/error.h"

namespace plimsoll::net {

namespace asio = boost::asio;

class IoPool {
  public:
    explicit IoPool(int io_threads = 1, int compute_threads = 2);
    ~IoPool();  // stop() and join
    IoPool(const IoPool&) = delete;
    IoPool& operator=(const IoPool&) = delete;

    asio::io_context& next();  // round robin
    asio::io_context& at(std::size_t index) { return *contexts_[index]; }
    std::size_t size() const { return contexts_.size(); }
    asio::thread_pool& compute() { return compute_; }

    // Runs a coroutine on the first io thread and blocks the calling thread (never an io thread) until it ends.
    // An exception it throws is rethrown here.
    void run(std::function<asio::awaitable<void>()> body);

    // Abandons what is pending and joins the threads, compute()'s too (a job that runs there is waited for). Idempotent.
    void stop();

  private:
    std::vector<std::unique_ptr<asio::io_context>> contexts_;
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
    std::vector<std::jthread> threads_;
    asio::thread_pool compute_;
    std::atomic<std::size_t> next_ = 0;
};

// Suspends until `point` (returns soon when it has passed). Cancellation: throws operation_aborted like any asio wait.
asio::awaitable<void> sleep_until(std::chrono::steady_clock::time_point point);
// The same from now on; a span beyond the clock's range never ends.
asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration span);

// For waiting for work on compute(): co_await asio::co_spawn(pool.compute(), work(), net::uncancelled()). A cancellation stays on
// this side: Boost 1.81's co_spawn hands it to the other thread's executor, where it may arrive after the coroutine that it was
// meant for has gone. The wait itself ends with the work.
inline auto uncancelled() { return asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable); }

}  // namespace plimsoll::net
