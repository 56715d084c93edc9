#include "net/io_pool.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

namespace plimsoll::net {

IoPool::IoPool(int io_threads, int compute_threads) : compute_(static_cast<std::size_t>(compute_threads)) {
    PLIMSOLL_CHECK(io_threads > 0 && compute_threads > 0, "a pool has at least one thread of each kind");
    for (int i = 0; i < io_threads; ++i) {
        contexts_.push_back(std::make_unique<asio::io_context>(1));
        work_.push_back(asio::make_work_guard(*contexts_.back()));
    }
    for (auto& context : contexts_) threads_.emplace_back([raw = context.get()] { raw->run(); });
}

IoPool::~IoPool() { stop(); }

asio::io_context& IoPool::next() { return *contexts_[next_++ % contexts_.size()]; }

void IoPool::run(std::function<asio::awaitable<void>()> body) {
    for (const auto& thread : threads_) PLIMSOLL_CHECK(thread.get_id() != std::this_thread::get_id(), "run() would wait for itself");
    asio::co_spawn(*contexts_.front(), std::move(body), asio::use_future).get();
}

void IoPool::stop() {
    work_.clear();
    for (auto& context : contexts_) context->stop();
    compute_.stop();
    for (auto& thread : threads_)
        if (thread.joinable()) thread.join();
    compute_.join();
}

asio::awaitable<void> sleep_until(std::chrono::steady_clock::time_point point) {
    asio::steady_timer timer(co_await asio::this_coro::executor, point);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> sleep_for(std::chrono::steady_clock::duration span) {
    using Clock = std::chrono::steady_clock;
    const auto now = Clock::now();
    return sleep_until(span > Clock::time_point::max() - now ? Clock::time_point::max() : now + span);
}

}  // namespace plimsoll::net
