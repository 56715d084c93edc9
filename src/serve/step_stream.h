// Carries a session's steps from where they happen to a slow reader. The session never waits: beyond kMaxPendingBytes token
// chunks are dropped and counted, STARTs and ENDs are kept. Thread: one io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "event/session.h"

namespace plimsoll::serve {

namespace asio = boost::asio;

// NAT's `filter_steps`: nothing = all steps, an empty set = none.
using StepFilter = std::optional<std::set<std::string>>;
StepFilter parse_step_filter(const std::string& text);

class StepStream : public event::StepSink {
  public:
    static constexpr std::size_t kMaxPendingBytes = 8u << 20;

    StepStream(const asio::any_io_executor& executor, StepFilter filter) : wake_(executor), filter_(std::move(filter)) {}

    void on_step(const event::Session& session, const event::Step& step) override;
    void on_session_end(const event::Session&, const Error*) override {}

    // The session is over; next() returns what is left and then nothing.
    void close();
    // The next record's bytes; waits for one.
    asio::awaitable<std::optional<std::string>> next();
    std::size_t dropped_chunks() const { return dropped_chunks_; }

  private:
    std::deque<std::string> pending_;
    std::size_t pending_bytes_ = 0;
    std::size_t dropped_chunks_ = 0;
    bool closed_ = false;
    asio::steady_timer wake_;
    StepFilter filter_;
};

}  // namespace plimsoll::serve
