// Between a run and the reader of its stream: a bounded queue that makes the run wait.
//
// A run asks is_full() before it starts a task or a step and waits for room, so that at most `capacity` events plus those of the
// tasks already running are held. When the reader is gone the buffer takes everything and keeps nothing. One thread, that of
// the run; waits end early when their coroutine is cancelled.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "base/json.h"
#include "graph/run_options.h"

namespace plimsoll::graph {

struct StreamChunk {
    std::string space;  // of the graph that it comes from, "" = the outermost
    StreamMode mode = StreamMode::values;
    json::value data;
};

class StreamBuffer {
  public:
    StreamBuffer(asio::any_io_executor executor, std::size_t capacity);

    bool is_full() const { return !abandoned_ && chunks_.size() >= capacity_; }
    void push(StreamChunk chunk);
    asio::awaitable<void> wait_room();
    // No more is coming.
    void close();

    // nullopt: it is closed and empty, or the reading coroutine was cancelled.
    asio::awaitable<std::optional<StreamChunk>> pop();
    // The reader reads no more.
    void abandon();
    bool is_closed() const { return closed_; }
    // Until something is pushed or the buffer is closed, or the waiting coroutine is cancelled.
    asio::awaitable<void> wait_news();

    std::size_t most_held() const { return most_held_; }

  private:
    std::size_t capacity_;
    asio::steady_timer room_;  // never expire; cancelling wakes all who wait
    asio::steady_timer news_;
    std::deque<StreamChunk> chunks_;
    std::size_t most_held_ = 0;
    bool closed_ = false;
    bool abandoned_ = false;
};

}  // namespace plimsoll::graph
