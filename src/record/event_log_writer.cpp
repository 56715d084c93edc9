#include "record/event_log_writer.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>

namespace plimsoll::record {
namespace {

std::string to_line(const json::value& record) { return to_compact_json(record) + "\n"; }

bool ends_within_a_line(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file || file.tellg() <= 0) return false;
    file.seekg(-1, std::ios::end);
    return file.get() != '\n';
}

}  // namespace

EventLogWriter::EventLogWriter(AppendFile file, WriteBehind::OnError on_error)
    : file_(std::move(file)),
      queue_(
          [this](std::string_view batch, bool sync) -> Result<void> {
              PLIMSOLL_TRY(file_.append(batch));
              if (sync) PLIMSOLL_TRY(file_.sync());
              return {};
          },
          {kSoftBytes, kHardBytes}, std::move(on_error)) {}

Result<std::unique_ptr<EventLogWriter>> EventLogWriter::open(const std::filesystem::path& path, const EventLogHeader& header,
                                                             WriteBehind::OnError on_error) {
    const bool needs_line_end = ends_within_a_line(path);
    auto file = AppendFile::open(path);
    if (!file) return fail(file.error());
    // Written here and not queued, so that a run that cannot log does not start.
    PLIMSOLL_TRY(file->append((needs_line_end ? "\n" : "") + to_line(to_json(header))));
    PLIMSOLL_TRY(file->sync());
    return std::unique_ptr<EventLogWriter>(new EventLogWriter(std::move(*file), std::move(on_error)));
}

void EventLogWriter::begin(std::int64_t session, const json::value& item) {
    queue_.push(to_line({{"t", "begin"}, {"session", session}, {"item", item}}), WriteBehind::Kind::required);
}

void EventLogWriter::on_step(const event::Session& session, const event::Step& step) {
    const bool chunk = step.payload.event_type.phase == event::Phase::chunk;
    queue_.push(to_line({{"t", "step"}, {"session", session.info().number}, {"step", event::to_json(step)}}),
                chunk ? WriteBehind::Kind::droppable : WriteBehind::Kind::required);
}

asio::awaitable<Result<void>> EventLogWriter::end(std::int64_t session, SessionEnd end) {
    const std::string line = to_line(to_json(session, end, dropped()));
    // The handler goes back to the session's own thread before it resumes the coroutine.
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
        [this](auto handler, const std::string& text) {
            auto work = asio::make_work_guard(handler);
            queue_.push_synced(text, [handler = std::move(handler), work = std::move(work)](Result<void> result) mutable {
                asio::post(work.get_executor(),
                           [handler = std::move(handler), result = std::move(result)]() mutable { std::move(handler)(std::move(result)); });
            });
        },
        asio::use_awaitable, line);
}

}  // namespace plimsoll::record
