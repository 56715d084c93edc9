#include "net/lean_http_client.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "net/http1_reader.h"

namespace plimsoll::net {
namespace {

using Tcp = asio::ip::tcp;
using boost::system::error_code;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 2 << 10;

struct Connection {
    explicit Connection(const asio::any_io_executor& executor) : socket(executor) {}

    Tcp::socket socket;
    Http1Reader reader;
    Deadline deadline;
    bool timed_out = false;
    std::size_t place = 0;  // in Impl::active
    std::array<char, kReadBytes> buffer;
};

}  // namespace

struct LeanHttpClient::Impl {
    Impl(asio::any_io_executor own_executor, std::vector<Tcp::endpoint> own_endpoints)
        : executor(std::move(own_executor)), endpoints(std::move(own_endpoints)), timer(executor) {}

    ~Impl() { *alive = false; }

    // Keeps a connection among the active ones for as long as its exchange runs.
    struct Active {
        Active(Impl& own_impl, Connection& own_connection) : impl(own_impl), connection(own_connection) {
            connection.place = impl.active.size();
            impl.active.push_back(&connection);
            impl.watch_deadlines();
        }
        ~Active() {
            impl.active.back()->place = connection.place;
            impl.active[connection.place] = impl.active.back();
            impl.active.pop_back();
        }
        Active(const Active&) = delete;
        Active& operator=(const Active&) = delete;
        Impl& impl;
        Connection& connection;
    };

    void watch_deadlines();
    std::unique_ptr<Connection> take_idle();
    asio::awaitable<Result<void>> connect(Connection& connection);
    asio::awaitable<Result<void>> send(Connection& connection, std::string_view request);
    asio::awaitable<Result<LeanResponse>> receive(Connection& connection, const OnData& on_data);
    Error transport_error(const Connection& connection, const error_code& error, std::string_view doing) const;

    asio::any_io_executor executor;
    std::vector<Tcp::endpoint> endpoints;
    std::vector<std::unique_ptr<Connection>> idle;
    std::vector<Connection*> active;
    asio::steady_timer timer;
    bool watching = false;
    std::uint64_t opened = 0;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

// One timer for all: thousands of deadlines that hardly ever pass cost a look each, and no timer of their own.
void LeanHttpClient::Impl::watch_deadlines() {
    if (watching) return;
    watching = true;
    timer.expires_after(kDeadlineCheck);
    timer.async_wait([this, alive = alive](error_code) {
        if (!*alive) return;
        watching = false;
        const auto now = Deadline::Clock::now();
        for (Connection* connection : active) {
            if (const auto point = connection->deadline.point(); !point || *point > now) continue;
            connection->timed_out = true;
            error_code ignored;  // it is closed either way
            connection->socket.close(ignored);
        }
        if (!active.empty()) watch_deadlines();
    });
}

std::unique_ptr<Connection> LeanHttpClient::Impl::take_idle() {
    if (idle.empty()) return nullptr;
    auto connection = std::move(idle.back());
    idle.pop_back();
    connection->reader.reset();
    return connection;
}

// A cancelled coroutine is not an error of the server's.
Error LeanHttpClient::Impl::transport_error(const Connection& connection, const error_code& error, std::string_view doing) const {
    if (connection.timed_out) return {ErrorCode::timeout, fmt::format("timed out {}", doing)};
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    const bool connecting = doing == "connecting";
    return {connecting ? ErrorCode::connect : ErrorCode::bad_response, fmt::format("{}: {}", doing, error.message())};
}

asio::awaitable<Result<void>> LeanHttpClient::Impl::connect(Connection& connection) {
    ++opened;
    error_code error = asio::error::host_not_found;
    for (const Tcp::endpoint& endpoint : endpoints) {
        error_code ignored;  // of a socket that a first address left open
        connection.socket.close(ignored);
        std::tie(error) = co_await connection.socket.async_connect(endpoint, kTuple);
        if (!error || connection.timed_out || error == asio::error::operation_aborted) break;
    }
    if (error) co_return fail(transport_error(connection, error, "connecting"));
    error_code ignored;  // delay costs time, not correctness; a non-blocking write that fails is tried again below
    connection.socket.set_option(Tcp::no_delay(true), ignored);
    connection.socket.non_blocking(true, ignored);
    co_return Result<void>();
}

asio::awaitable<Result<void>> LeanHttpClient::Impl::send(Connection& connection, std::string_view request) {
    error_code error;
    const std::size_t sent = connection.socket.write_some(asio::buffer(request), error);
    if (error && error != asio::error::would_block && error != asio::error::try_again)
        co_return fail(transport_error(connection, error, "sending"));
    if (sent < request.size()) {
        const auto [rest_error, rest] = co_await asio::async_write(connection.socket, asio::buffer(request.substr(sent)), kTuple);
        if (rest_error) co_return fail(transport_error(connection, rest_error, "sending"));
    }
    co_return Result<void>();
}

asio::awaitable<Result<LeanResponse>> LeanHttpClient::Impl::receive(Connection& connection, const OnData& on_data) {
    LeanResponse response;
    Http1Reader& reader = connection.reader;
    bool wanted = true;
    const Http1Reader::OnBody on_body = [&](std::string_view piece) {
        if (reader.status() / 100 == 2) {
            wanted = wanted && on_data(piece);
            return;
        }
        response.error_body += piece.substr(0, kMaxErrorBody - std::min(kMaxErrorBody, response.error_body.size()));
    };
    while (!reader.done() && wanted) {
        const auto [error, count] = co_await connection.socket.async_read_some(asio::buffer(connection.buffer), kTuple);
        if (error == asio::error::eof) {
            if (const auto ended = reader.end_of_stream(); !ended) co_return fail(ended.error());
            break;
        }
        if (error) co_return fail(transport_error(connection, error, "receiving"));
        const auto used = reader.feed({connection.buffer.data(), count}, on_body);
        if (!used) co_return fail(used.error());
        if (*used < count && wanted) co_return fail(ErrorCode::bad_response, "the server sent more than its answer");
    }
    response.status = reader.status();
    response.content_type = reader.content_type();
    response.retry_after_s = reader.retry_after_s();
    co_return response;
}

LeanHttpClient::LeanHttpClient(asio::any_io_executor executor, std::vector<Tcp::endpoint> endpoints)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(endpoints))) {}

LeanHttpClient::~LeanHttpClient() = default;

asio::awaitable<Result<LeanResponse>> LeanHttpClient::exchange(std::string_view request, Deadline deadline, OnData on_data) {
    for (bool may_reuse = true;; may_reuse = false) {
        auto connection = may_reuse ? impl_->take_idle() : nullptr;
        const bool reused = connection != nullptr;
        if (!reused) connection = std::make_unique<Connection>(impl_->executor);
        connection->deadline = deadline;
        const Impl::Active active(*impl_, *connection);
        Result<void> ready;
        if (!reused) ready = co_await impl_->connect(*connection);
        if (!ready) co_return fail(ready.error());
        Result<LeanResponse> response = fail(ErrorCode::internal, "");
        const auto sent = co_await impl_->send(*connection, request);
        if (sent) {
            response = co_await impl_->receive(*connection, on_data);
        } else {
            response = fail(sent.error());
        }
        if (response) {
            if (connection->reader.done() && connection->reader.keep_alive() && impl_->idle.size() < kMaxIdle)
                impl_->idle.push_back(std::move(connection));
            co_return response;
        }
        if (!reused || connection->reader.started() || connection->timed_out) co_return response;
    }
}

std::uint64_t LeanHttpClient::connections_opened() const { return impl_->opened; }

Result<std::vector<Tcp::endpoint>> LeanHttpClient::resolve(const std::string& host, const std::string& port) {
    asio::io_context context;
    Tcp::resolver resolver(context);
    error_code error;
    const auto found = resolver.resolve(host, port, error);
    std::vector<Tcp::endpoint> out;
    for (const auto& entry : found) out.push_back(entry.endpoint());
    if (error || out.empty()) return fail(ErrorCode::connect, fmt::format("{}:{}: {}", host, port, error.message()));
    return out;
}

}  // namespace plimsoll::net
