// Reading a run while it goes on. The reader sets the pace: a run whose reader is behind waits, between steps, before it starts
// another task and in StepInfo::write(), so that memory stays bounded (stream_buffer.h).
//
//   auto stream = graph.stream(context, input, {.modes = StreamMode::values | StreamMode::custom});
//   while (auto chunk = co_await stream.next()) show(chunk->mode, chunk->data);
//   Result<RunResult<S>> end = co_await stream.finish();                          // always: it waits for the run
//
// Owner: the coroutine that reads; the run is on its executor. A stream that is destroyed before finish() cancels its run, which
// then ends by itself.
#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "graph/node_run.h"
#include "graph/run_options.h"
#include "graph/stream_buffer.h"

namespace plimsoll::graph {

inline constexpr std::size_t kStreamCapacity = 64;

// An on_event that puts what each of `modes` shows of an event into the buffer.
std::function<void(const StreamEvent&)> make_stream_writer(std::shared_ptr<StreamBuffer> buffer, StreamMode modes);

template <class R>
class Stream {
  public:
    // Makes the run, which gives its stream's events to the buffer and keeps to its pace.
    using Start = std::function<asio::awaitable<Result<R>>(std::shared_ptr<StreamBuffer> buffer)>;

    Stream(Start start, std::size_t capacity) : start_(std::move(start)), capacity_(capacity) {}
    ~Stream() {
        if (!running_) return;
        running_->buffer->abandon();
        cancel();
    }
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) = delete;

    // nullopt: the run has ended, or the reader was cancelled.
    asio::awaitable<std::optional<StreamChunk>> next() {
        if (!running_) begin(co_await asio::this_coro::executor);
        co_return co_await running_->buffer->pop();
    }

    // Drops what was not read and returns how the run ended. Cancelling the reader cancels the run.
    asio::awaitable<Result<R>> finish() {
        if (!running_) begin(co_await asio::this_coro::executor);
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        running_->buffer->abandon();
        bool stopping = false;
        while (!running_->buffer->is_closed()) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none && !std::exchange(stopping, true)) cancel();
            co_await running_->buffer->wait_news();
        }
        co_await asio::this_coro::throw_if_cancelled(throws);
        co_return std::exchange(running_, nullptr)->result;
    }

    void cancel() {
        if (running_) running_->stop.emit(asio::cancellation_type::terminal);
    }
    // The most events that were held at once.
    std::size_t most_held() const { return running_ ? running_->buffer->most_held() : 0; }

  private:
    struct Running {
        std::shared_ptr<StreamBuffer> buffer;
        asio::cancellation_signal stop;
        Result<R> result = fail(ErrorCode::cancelled, "cancelled");
    };

    void begin(asio::any_io_executor executor) {
        running_ = std::make_shared<Running>();
        running_->buffer = std::make_shared<StreamBuffer>(executor, capacity_);
        asio::co_spawn(executor, start_(running_->buffer),
                       asio::bind_cancellation_slot(running_->stop.slot(),
                                                    [running = running_](std::exception_ptr exception, std::optional<Result<R>> result) {
                                                        if (exception)
                                                            running->result = fail(error_of(exception));
                                                        else
                                                            running->result = std::move(*result);
                                                        running->buffer->close();
                                                    }));
    }

    Start start_;
    std::size_t capacity_;
    std::shared_ptr<Running> running_;
};

}  // namespace plimsoll::graph
