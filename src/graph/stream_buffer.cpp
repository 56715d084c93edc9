#include "graph/stream_buffer.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "graph/stream.h"

namespace plimsoll::graph {
namespace {

asio::awaitable<bool> is_cancelled() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

StreamBuffer::StreamBuffer(asio::any_io_executor executor, std::size_t capacity)
    : capacity_(std::max<std::size_t>(capacity, 1)),
      room_(executor, asio::steady_timer::time_point::max()),
      news_(executor, asio::steady_timer::time_point::max()) {}

void StreamBuffer::push(StreamChunk chunk) {
    if (abandoned_) return;
    chunks_.push_back(std::move(chunk));
    most_held_ = std::max(most_held_, chunks_.size());
    news_.cancel();
}

asio::awaitable<void> StreamBuffer::wait_room() {
    while (is_full()) {
        if (co_await is_cancelled()) co_return;
        boost::system::error_code woken;
        co_await room_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
}

void StreamBuffer::close() {
    closed_ = true;
    news_.cancel();
}

asio::awaitable<std::optional<StreamChunk>> StreamBuffer::pop() {
    while (chunks_.empty()) {
        if (closed_ || co_await is_cancelled()) co_return std::nullopt;
        co_await wait_news();
    }
    StreamChunk chunk = std::move(chunks_.front());
    chunks_.pop_front();
    room_.cancel();
    co_return chunk;
}

void StreamBuffer::abandon() {
    abandoned_ = true;
    chunks_.clear();
    room_.cancel();
}

asio::awaitable<void> StreamBuffer::wait_news() {
    boost::system::error_code woken;
    co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

std::function<void(const StreamEvent&)> make_stream_writer(std::shared_ptr<StreamBuffer> buffer, StreamMode modes) {
    return [buffer = std::move(buffer), modes](const StreamEvent& event) {
        for (const StreamMode mode : {StreamMode::values, StreamMode::updates, StreamMode::custom, StreamMode::messages, StreamMode::tasks,
                                      StreamMode::checkpoints, StreamMode::debug}) {
            if (!has_mode(modes, mode)) continue;
            if (auto data = event.to_json(mode)) buffer->push({std::string(event.space), mode, std::move(*data)});
        }
    };
}

}  // namespace plimsoll::graph
