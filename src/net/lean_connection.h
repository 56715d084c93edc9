// What LeanHttpClient keeps of each connection.
#pragma once

#include <unistd.h>

#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http1_reader.h"
#include "net/lean_http_client.h"

namespace plimsoll::net {

// A socket and the exchange it carries; none while it is idle.
struct LeanConnection {
    LeanConnection() = default;
    ~LeanConnection() {
        if (fd >= 0) ::close(fd);
    }
    LeanConnection(const LeanConnection&) = delete;
    LeanConnection& operator=(const LeanConnection&) = delete;

    enum class State : std::uint8_t { connecting, sending, receiving, idle };

    int fd = -1;
    State state = State::idle;
    std::size_t place = 0;     // in the list of active or idle connections
    std::size_t endpoint = 0;  // that is being tried
    std::string_view unsent;
    Deadline deadline;
    ArrivalTime sent;
    const LeanHttpClient::OnData* on_data = nullptr;
    Http1Reader reader;
    LeanResponse response;
    std::move_only_function<void()> on_end;  // resumes the one who waits; empty once the exchange has ended
    asio::cancellation_slot slot;            // of the one who waits
    Result<void> outcome;
    bool cancelled = false;
    bool timed_out = false;

    bool ended() const { return !on_end; }
    LeanResponse take_response() {
        response.status = reader.status();
        response.content_type = reader.content_type();
        response.retry_after_s = reader.retry_after_s();
        return std::move(response);
    }
    // It may carry another exchange.
    bool is_reusable() const { return !cancelled && !timed_out && outcome && reader.done() && reader.keep_alive(); }
};

// A list from which any connection can be taken out at once.
class LeanConnectionList {
  public:
    LeanConnection& add(std::unique_ptr<LeanConnection> connection) {
        connection->place = list_.size();
        list_.push_back(std::move(connection));
        return *list_.back();
    }
    std::unique_ptr<LeanConnection> take(LeanConnection& connection) {
        std::swap(list_[connection.place], list_.back());
        list_[connection.place]->place = connection.place;
        auto out = std::move(list_.back());
        list_.pop_back();
        return out;
    }
    std::size_t size() const { return list_.size(); }
    LeanConnection& back() { return *list_.back(); }
    LeanConnection& operator[](std::size_t i) { return *list_[i]; }

  private:
    std::vector<std::unique_ptr<LeanConnection>> list_;
};

}  // namespace plimsoll::net
