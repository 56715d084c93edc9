// For tests: runs a coroutine to its end on a loop of its own, and a gate for coroutines to wait at.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace plimsoll::graph {

namespace asio = boost::asio;

// Rethrows what the coroutine throws.
template <class T>
T run_on_loop(asio::io_context& loop, asio::awaitable<T> body) {
    std::optional<T> result;
    std::exception_ptr thrown;
    asio::co_spawn(loop, std::move(body), [&](std::exception_ptr exception, T value) {
        thrown = exception;
        if (!exception) result.emplace(std::move(value));
    });
    loop.restart();
    loop.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*result);
}

template <class T>
T run_on_loop(asio::awaitable<T> body) {
    asio::io_context loop;
    return run_on_loop(loop, std::move(body));
}

// Coroutines of one thread wait until somebody opens it. wait() throws operation_aborted when cancelled. May outlive its loop.
class Gate {
  public:
    void open() {
        open_ = true;
        for (const auto& waiting : waiting_)
            if (const auto timer = waiting.lock()) timer->cancel();
    }
    asio::awaitable<void> wait() {
        if (open_) co_return;
        const auto timer = std::make_shared<asio::steady_timer>(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
        waiting_.push_back(timer);
        boost::system::error_code woken;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, woken));
        if (!open_) throw boost::system::system_error(asio::error::operation_aborted);
    }

  private:
    bool open_ = false;
    std::vector<std::weak_ptr<asio::steady_timer>> waiting_;
};

}  // namespace plimsoll::graph
