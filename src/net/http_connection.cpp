#include "net/http_connection.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>

#include "base/log.h"
#include "net/io_pool.h"

namespace plimsoll::net {

namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kFirstReadBytes = 4 << 10;  // a request's header and a short body; all an idle connection holds
constexpr std::size_t kBodyReadBytes = 64 << 10;
// A refused client may still be sending; closing at once would reset the connection and lose the refusal.
constexpr std::size_t kMaxDrainedBytes = 16 << 20;

std::string detail_json(std::string_view detail) { return fmt::format(R"({{"detail":"{}"}})", detail); }

std::string one_line(std::string value) {
    std::ranges::replace_if(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    return value;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, const ServerOptions& options, const Dispatch& dispatch)
    : socket_(std::move(socket)), options_(options), dispatch_(dispatch) {
    error_code ignored;  // a peer that has gone already shows at the first read
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
}

asio::awaitable<void> HttpConnection::serve() {
    bool more = true;
    while (more) more = co_await serve_one();
    close();
}

void HttpConnection::close() {
    error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
}

void HttpConnection::expect_progress() {
    if (options_.idle_timeout.count() > 0) deadline_ = Clock::now() + options_.idle_timeout;
}

asio::awaitable<bool> HttpConnection::serve_one() {
    std::optional<ServerRequest> request = co_await read_request();
    deadline_ = Clock::time_point::max();
    if (!request) co_return false;
    buffer_.shrink_to_fit();  // thousands of handlers may be waiting at once
    co_return co_await answer(std::move(*request));
}

// Nothing when the connection is over; a request that cannot be served has then been refused.
asio::awaitable<std::optional<ServerRequest>> HttpConnection::read_request() {
    http::request_parser<http::string_body> parser;
    parser.eager(true);
    parser.header_limit(HttpServer::kMaxHeaderBytes);
    parser.body_limit(options_.max_body_bytes);
    bool continued = false;
    expect_progress();
    for (;;) {
        error_code error;
        if (buffer_.size() > 0) buffer_.consume(parser.put(buffer_.data(), error));
        if (!error && parser.is_done()) break;
        if (error == http::error::need_more) error = {};
        // The parser bounds the header, but not the line that announces a chunk.
        if (buffer_.size() > HttpServer::kMaxHeaderBytes) error = http::error::buffer_overflow;
        if (error) {
            co_await refuse(error);
            co_return std::nullopt;
        }
        if (parser.is_header_done() && !continued && boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
            continued = true;
            const auto written = co_await write_all("HTTP/1.1 100 Continue\r\n\r\n");
            if (!written) co_return std::nullopt;
        }
        if (parser.is_header_done()) expect_progress();
        const std::size_t room = parser.is_header_done() || buffer_.size() > 0 ? kBodyReadBytes : kFirstReadBytes;
        const auto [read_error, count] = co_await socket_.async_read_some(buffer_.prepare(room), kTuple);
        if (read_error) co_return std::nullopt;
        buffer_.commit(count);
    }
    auto& message = parser.get();
    rules_ = {.head_only = message.method() == http::verb::head, .chunked = message.version() >= 11, .keep_alive = message.keep_alive()};
    ServerRequest request;
    request.method = message.method_string();
    request.path = message.target();
    for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
    request.body = std::move(message.body());
    co_return request;
}

asio::awaitable<void> HttpConnection::refuse(error_code error) {
    int status = 400;
    if (error == http::error::body_limit) status = 413;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) status = 431;
    rules_ = {.keep_alive = false};
    answer_ = Answer::none;
    const std::string reason(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
    const auto sent = co_await send(status, "application/json", detail_json(reason), {});
    if (sent) co_await drain();
}

asio::awaitable<void> HttpConnection::drain() {
    error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    buffer_.clear();
    expect_progress();  // once: a client that trickles is cut off
    for (std::size_t drained = 0; !error && drained < kMaxDrainedBytes;) {
        std::size_t count = 0;
        std::tie(error, count) = co_await socket_.async_read_some(buffer_.prepare(kBodyReadBytes), kTuple);
        drained += count;
    }
}

// True when another request may follow.
asio::awaitable<bool> HttpConnection::answer(ServerRequest request) {
    answer_ = Answer::none;
    std::string failure;
    try {
        co_await dispatch_(std::move(request), *this);
    } catch (const std::exception& error) {
        failure = error.what();
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) co_return false;  // the server stops
    if (!failure.empty()) log_error("HTTP handler failed: {}", failure);
    if (!socket_.is_open() || answer_ == Answer::streaming) co_return false;
    if (answer_ == Answer::none) {
        const auto sent = co_await send(500, "application/json", detail_json("Internal Server Error"), {});
        if (!sent) co_return false;
    }
    co_return rules_.keep_alive;
}

std::string HttpConnection::make_head(int status, std::string_view content_type, const Headers& extra, std::string_view framing) const {
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    std::string head;
    head.reserve(256);
    fmt::format_to(std::back_inserter(head), "HTTP/1.1 {} {}\r\nServer: {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", status,
                   std::string_view(reason.data(), reason.size()), options_.server_name, fmt::gmtime(std::time(nullptr)));
    if (!content_type.empty()) head.append("Content-Type: ").append(one_line(std::string(content_type))).append("\r\n");
    for (const auto& [name, value] : extra) head.append(one_line(name)).append(": ").append(one_line(value)).append("\r\n");
    head.append(framing);
    if (!rules_.keep_alive) head.append("Connection: close\r\n");
    head.append("\r\n");
    return head;
}

asio::awaitable<Result<void>> HttpConnection::send(int status, std::string content_type, std::string body, Headers extra) {
    PLIMSOLL_CHECK(answer_ == Answer::none, "a request is answered once");
    answer_ = Answer::complete;
    const std::string framing = has_body(status) ? fmt::format("Content-Length: {}\r\n", body.size()) : std::string();
    std::string bytes = make_head(status, has_body(status) ? content_type : std::string(), extra, framing);
    if (has_body(status) && !rules_.head_only) bytes += body;
    return write_all(std::move(bytes));
}

asio::awaitable<Result<void>> HttpConnection::start(int status, std::string content_type, Headers extra) {
    PLIMSOLL_CHECK(answer_ == Answer::none, "a request is answered once");
    answer_ = Answer::streaming;
    if (!rules_.chunked) rules_.keep_alive = false;
    return write_all(make_head(status, content_type, extra, rules_.chunked ? "Transfer-Encoding: chunked\r\n" : ""));
}

asio::awaitable<Result<void>> HttpConnection::write(std::string piece) {
    PLIMSOLL_CHECK(answer_ == Answer::streaming, "write() comes between start() and finish()");
    // An empty chunk would end the stream.
    if (piece.empty() || rules_.head_only) return write_all({});
    if (!rules_.chunked) return write_all(std::move(piece));
    return write_all(fmt::format("{:x}\r\n{}\r\n", piece.size(), piece));
}

asio::awaitable<Result<void>> HttpConnection::finish() {
    PLIMSOLL_CHECK(answer_ == Answer::streaming, "finish() comes once, after start()");
    answer_ = Answer::complete;
    const bool needs_end = rules_.chunked && !rules_.head_only;
    return write_all(needs_end ? "0\r\n\r\n" : "");
}

asio::awaitable<Result<void>> HttpConnection::write_all(std::string bytes) {
    error_code error;
    std::size_t sent = 0;
    if (!socket_.is_open()) error = asio::error::not_connected;
    // As a rule the kernel takes everything at once, and the coroutine need not be suspended.
    if (!error && !bytes.empty()) sent = socket_.write_some(asio::buffer(bytes), error);
    if (error == asio::error::would_block) error = {};
    while (!error && sent < bytes.size()) {
        expect_progress();
        std::size_t count = 0;
        std::tie(error, count) = co_await socket_.async_write_some(asio::buffer(bytes) + sent, kTuple);
        sent += count;
    }
    deadline_ = Clock::time_point::max();
    if (error) co_return fail(ErrorCode::connect, "the client has gone: " + error.message());
    co_return Result<void>{};
}

bool HttpConnection::client_gone() const {
    if (!socket_.is_open()) return true;
    // RDHUP shows a peer that has closed even behind unread bytes of pipelined requests.
    pollfd state{.fd = const_cast<asio::ip::tcp::socket&>(socket_).native_handle(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&state, 1, 0) > 0;
}

asio::awaitable<void> HttpConnection::wait_gone() {
    // Bytes of a pipelined request keep the socket readable, so that nothing announces an end behind them.
    constexpr std::chrono::milliseconds kPipelinedLook{50};
    while (!client_gone()) {
        co_await socket_.async_wait(asio::ip::tcp::socket::wait_read, kTuple);
        if (!client_gone()) co_await sleep_for(kPipelinedLook);
    }
}

void HttpConnection::abort(bool reset) {
    error_code ignored;
    if (reset) {
        socket_.set_option(asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
    } else {
        close();
    }
}

}  // namespace plimsoll::net
