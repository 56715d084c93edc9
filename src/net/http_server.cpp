#include "net/http_server.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_set>

#include "base/log.h"
#include "net/http_connection.h"
#include "net/route_table.h"

namespace plimsoll::net {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int kListenBacklog = 4096;  // the kernel lowers it to its own bound
// Without descriptors or memory for another connection, waiting lets some of the present ones end.
constexpr std::chrono::milliseconds kAcceptBackoff{50};
constexpr std::chrono::milliseconds kLongestSweepInterval{1000};

struct Session {
    HttpConnection connection;
    asio::cancellation_signal cancel;
};

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
    Impl(asio::any_io_executor own_executor, ServerOptions own_options)
        : executor(own_executor),
          options(std::move(own_options)),
          acceptor(own_executor),
          sweep_timer(own_executor),
          last_session_ended(own_executor, asio::steady_timer::time_point::max()) {
        dispatch = [this](ServerRequest request, ServerResponse& response) { return dispatch_request(std::move(request), response); };
    }

    Result<tcp::endpoint> endpoint() const;
    asio::awaitable<void> accept_all();
    void open_session(tcp::socket socket);
    asio::awaitable<void> dispatch_request(ServerRequest request, ServerResponse& response);
    void arm_sweep();
    void stop();

    asio::any_io_executor executor;
    ServerOptions options;
    RouteTable routes;
    HttpConnection::Dispatch dispatch;
    tcp::acceptor acceptor;
    asio::steady_timer sweep_timer;
    asio::steady_timer last_session_ended;  // cancelled when a session ends
    std::unordered_set<std::shared_ptr<Session>> sessions;
    std::size_t refused = 0;
    bool running = false;
    bool stopping = false;
};

Result<tcp::endpoint> HttpServer::Impl::endpoint() const {
    error_code error;
    const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
    if (error) return fail(ErrorCode::invalid_argument, "not an IP address to listen on: " + options.host);
    return tcp::endpoint(address, options.port);
}

asio::awaitable<void> HttpServer::Impl::accept_all() {
    asio::steady_timer backoff(executor);
    bool starving = false;
    while (!stopping) {
        auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
        if (error == asio::error::connection_aborted) continue;
        if (error) {
            if (!starving) log_warning("cannot accept connections for now: {}", error.message());
            starving = true;
            backoff.expires_after(kAcceptBackoff);
            const auto [waited] = co_await backoff.async_wait(asio::as_tuple(asio::use_awaitable));
            if (waited) co_return;
            continue;
        }
        starving = false;
        if (sessions.size() >= options.max_connections) {
            ++refused;
            continue;
        }
        open_session(std::move(socket));
    }
}

void HttpServer::Impl::open_session(tcp::socket socket) {
    auto session = std::make_shared<Session>(HttpConnection(std::move(socket), options, dispatch));
    sessions.insert(session);
    asio::co_spawn(executor, session->connection.serve(),
                   asio::bind_cancellation_slot(session->cancel.slot(), [self = shared_from_this(), session](std::exception_ptr failure) {
                       session->connection.close();
                       self->sessions.erase(session);
                       self->last_session_ended.cancel();
                       if (!failure || self->stopping) return;
                       try {
                           std::rethrow_exception(failure);
                       } catch (const std::exception& error) {
                           log_error("HTTP connection failed: {}", error.what());
                       }
                   }));
}

asio::awaitable<void> HttpServer::Impl::dispatch_request(ServerRequest request, ServerResponse& response) {
    Target target = parse_target(request.path);
    RouteTable::Match match = routes.match(request.method, target.path);
    request.path = std::move(target.path);
    request.query = std::move(target.query);
    request.params = std::move(match.params);
    if (match.handler != nullptr) {
        co_await (*match.handler)(std::move(request), response);
    } else if (match.allowed.empty()) {
        std::ignore = co_await response.send(404, "application/json", R"({"detail":"Not Found"})");
    } else {
        Headers allow = {{"Allow", fmt::format("{}", fmt::join(match.allowed, ", "))}};
        std::ignore = co_await response.send(405, "application/json", R"({"detail":"Method Not Allowed"})", std::move(allow));
    }
}

// One timer for all connections instead of one each: their deadlines are coarse, and thousands of timers are not free.
void HttpServer::Impl::arm_sweep() {
    if (options.idle_timeout.count() <= 0) return;
    sweep_timer.expires_after(std::min(kLongestSweepInterval, std::chrono::milliseconds(options.idle_timeout) / 4));
    sweep_timer.async_wait([self = shared_from_this()](error_code error) {
        if (error || self->stopping) return;
        const auto now = HttpConnection::Clock::now();
        for (const auto& session : self->sessions)
            if (session->connection.is_overdue(now)) session->connection.close();
        self->arm_sweep();
    });
}

void HttpServer::Impl::stop() {
    if (stopping) return;
    stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    sweep_timer.cancel();
    // A copy: sessions may end, and leave the set, while they are told.
    const auto open = sessions;
    for (const auto& session : open) {
        session->connection.close();
        session->cancel.emit(asio::cancellation_type::terminal);
    }
}

HttpServer::HttpServer(asio::any_io_executor executor, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options))) {}

HttpServer::~HttpServer() = default;

void HttpServer::route(std::string method, std::string pattern, Handler handler) {
    PLIMSOLL_CHECK(!impl_->running, "routes come before run()");
    impl_->routes.add(std::move(method), pattern, std::move(handler));
}

Result<std::uint16_t> HttpServer::listen() {
    const auto endpoint = impl_->endpoint();
    if (!endpoint) return fail(endpoint.error());
    const std::string what = fmt::format("cannot listen on {}:{}", impl_->options.host, impl_->options.port);
    auto& acceptor = impl_->acceptor;
    error_code error;
    acceptor.open(endpoint->protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(*endpoint, error);
    if (!error) acceptor.listen(kListenBacklog, error);
    if (!error) return acceptor.local_endpoint().port();
    error_code ignored;
    acceptor.close(ignored);
    if (error.value() == EADDRNOTAVAIL) return fail(ErrorCode::invalid_argument, what + ": not an address of this machine");
    return fail(errno_error(what, error.value()));
}

asio::awaitable<void> HttpServer::run() {
    const std::shared_ptr<Impl> impl = impl_;
    PLIMSOLL_CHECK(!impl->running, "run() is called once");
    PLIMSOLL_CHECK(impl->acceptor.is_open() || impl->stopping, "listen() comes before run()");
    impl->running = true;
    // Cancelled or stopped, the sessions are waited for.
    co_await asio::this_coro::throw_if_cancelled(false);
    if (!impl->stopping) impl->arm_sweep();
    co_await impl->accept_all();
    impl->stop();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    while (!impl->sessions.empty()) co_await impl->last_session_ended.async_wait(asio::as_tuple(asio::use_awaitable));
}

void HttpServer::stop() {
    // Asio 1.24 (Boost 1.81) defers a cancellation that is emitted outside the coroutine's thread, by reference to a signal
    // that may be gone by then; on the thread it is delivered at once.
    asio::dispatch(impl_->executor, [impl = impl_] { impl->stop(); });
}

std::size_t HttpServer::open_connections() const { return impl_->sessions.size(); }

std::size_t HttpServer::refused_connections() const { return impl_->refused; }

}  // namespace plimsoll::net
