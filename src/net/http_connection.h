// One connection of an HttpServer: reads requests, hands each to the dispatcher, writes its answer, keeps alive.
// Thread: the server's io thread. The server owns the options and dispatcher, and outlives its connections.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_server.h"

namespace plimsoll::net {

// What a request says about its answer.
struct AnswerRules {
    bool head_only = false;  // HEAD: the header alone
    bool chunked = true;     // false for HTTP/1.0, whose streams end with the connection
    bool keep_alive = true;
};

class HttpConnection final : public ServerResponse {
  public:
    using Clock = std::chrono::steady_clock;
    // The request's path is still the whole target; query and params are empty.
    using Dispatch = std::function<asio::awaitable<void>(ServerRequest request, ServerResponse& response)>;

    HttpConnection(asio::ip::tcp::socket socket, const ServerOptions& options, const Dispatch& dispatch);

    // Until the client leaves, an error or a timeout ends the connection, or it is cancelled.
    asio::awaitable<void> serve();
    // The next operation on the socket fails.
    void close();
    bool is_overdue(Clock::time_point now) const { return now >= deadline_; }

    asio::awaitable<Result<void>> send(int status, std::string content_type, std::string body, Headers extra) override;
    asio::awaitable<Result<void>> start(int status, std::string content_type, Headers extra) override;
    asio::awaitable<Result<void>> write(std::string piece) override;
    asio::awaitable<Result<void>> finish() override;
    bool client_gone() const override;
    asio::awaitable<void> wait_gone() override;
    void abort(bool reset) override;

  private:
    enum class Answer : std::uint8_t { none, streaming, complete };

    asio::awaitable<bool> serve_one();
    asio::awaitable<std::optional<ServerRequest>> read_request();
    asio::awaitable<void> refuse(boost::system::error_code error);
    asio::awaitable<bool> answer(ServerRequest request);
    asio::awaitable<Result<void>> write_all(std::string bytes);
    asio::awaitable<void> drain();
    std::string make_head(int status, std::string_view content_type, const Headers& extra, std::string_view framing) const;
    void expect_progress();

    asio::ip::tcp::socket socket_;
    const ServerOptions& options_;
    const Dispatch& dispatch_;
    boost::beast::flat_buffer buffer_;  // received and not yet parsed; may reach into pipelined requests
    Clock::time_point deadline_ = Clock::time_point::max();
    AnswerRules rules_;
    Answer answer_ = Answer::none;
};

}  // namespace plimsoll::net
