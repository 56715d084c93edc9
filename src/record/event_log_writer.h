// Writes a run's event log (format: event_log.h) from the sessions' threads.
//
//   auto log = EventLogWriter::open(path, header, on_error);
//   log->begin(session, item_id);
//   …                                            // on_step() as a sink of the session
//   co_await log->end(session_number, outcome);  // returns once the outcome is on the disk
//
// Sessions only serialise and queue; a thread of the log's own writes and syncs, one sync for all ends that wait. When more than kSoftBytes
// wait, token chunks are left out and counted; everything else is kept up to kHardBytes, which a closed loop cannot reach as each session
// waits for its own end. A failure (a full disk) is final and reported once; the run then starts nothing new.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "base/files.h"
#include "event/session.h"
#include "record/event_log.h"
#include "record/write_behind.h"

namespace plimsoll::record {

namespace asio = boost::asio;

class EventLogWriter final : public event::StepSink {
  public:
    static constexpr std::size_t kSoftBytes = 256u << 20;
    static constexpr std::size_t kHardBytes = 1u << 30;

    // Appends to a log that exists. Errors: io, no_space.
    static Result<std::unique_ptr<EventLogWriter>> open(const std::filesystem::path& path, const EventLogHeader& header,
                                                        WriteBehind::OnError on_error);

    void begin(std::int64_t session, const json::value& item);
    asio::awaitable<Result<void>> end(std::int64_t session, SessionEnd end);

    void on_step(const event::Session& session, const event::Step& step) override;
    void on_session_end(const event::Session&, const Error*) override {}  // end() has the output as well

    Result<void> status() const { return queue_.status(); }
    Result<void> close() { return queue_.close(); }
    // Token chunks left out; after a failure, every record since.
    std::uint64_t dropped() const { return queue_.dropped(); }

  private:
    EventLogWriter(AppendFile file, WriteBehind::OnError on_error);

    AppendFile file_;  // used by the queue's thread only
    WriteBehind queue_;
};

}  // namespace plimsoll::record
