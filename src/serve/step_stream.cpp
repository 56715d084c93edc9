#include "serve/step_stream.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/sse.h"

namespace plimsoll::serve {

StepFilter parse_step_filter(const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::set<std::string> names;
    if (text == "none") return names;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        names.insert(text.substr(at, comma - at));
        at = comma + 1;
    }
    return names;
}

void StepStream::on_step(const event::Session&, const event::Step& step) {
    const std::string type(event::to_string(step.payload.event_type));
    if (filter_ && !filter_->contains(type)) return;
    if (step.payload.event_type.phase == event::Phase::chunk && pending_bytes_ > kMaxPendingBytes) {
        ++dropped_chunks_;
        return;
    }
    const json::value record = {{"id", step.payload.uuid},
                                {"parent_id", step.parent_id},
                                {"type", type},
                                {"name", step.payload.name.value_or("")},
                                {"payload", to_compact_json(event::to_json(step.payload))}};
    pending_.push_back(net::sse_record("intermediate_data", to_compact_json(record)));
    pending_bytes_ += pending_.back().size();
    wake_.cancel_one();
}

void StepStream::close() {
    closed_ = true;
    wake_.cancel_one();
}

asio::awaitable<std::optional<std::string>> StepStream::next() {
    while (pending_.empty()) {
        if (closed_) co_return std::nullopt;
        wake_.expires_at(asio::steady_timer::time_point::max());
        (void)co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    std::string record = std::move(pending_.front());
    pending_.pop_front();
    pending_bytes_ -= record.size();
    co_return record;
}

}  // namespace plimsoll::serve
