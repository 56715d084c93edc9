#include "net/lean_http_client.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <utility>

#include "net/arrival_clock.h"
#include "net/lean_connection.h"

namespace plimsoll::net {
namespace {

using Tcp = asio::ip::tcp;
using Connection = LeanConnection;
using boost::system::error_code;
// One buffer for all: what a receive brings is read at once.
constexpr std::size_t kReadBytes = 64u << 10;
// Sockets looked at before the executor gets a turn.
constexpr int kMaxEvents = 256;
// Waking up for every token would cost most of a stream's time, so that the next look waits for a share of the usual gap between a
// stream's pieces. The kernel's times keep the pieces exact; two that come closer than that have the time of the later one, and what is
// asked after a stream's end is asked so much later at most: longer waits would cost less, but show in what is counted from its end.
constexpr int kGatherShare = 8;
constexpr std::chrono::microseconds kLeastGather{200}, kMostGather{1000};
constexpr int kGapMemory = 64;  // pieces

error_code last_error() { return {errno, boost::system::system_category()}; }

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

struct LeanHttpClient::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::any_io_executor own_executor, std::vector<Tcp::endpoint> own_endpoints)
        : executor(std::move(own_executor)),
          endpoints(std::move(own_endpoints)),
          set(executor),
          set_fd(::epoll_create1(EPOLL_CLOEXEC)),
          timer(executor),
          gather_timer(executor) {}
    ~Impl() {
        if (set.is_open()) set.release();
        ::close(set_fd);
    }

    // Keeps a connection among the active ones for as long as its exchange runs; it is idle, or gone, afterwards.
    struct Active {
        Active(Impl& own_impl, bool may_reuse);
        ~Active();
        Active(const Active&) = delete;
        Active& operator=(const Active&) = delete;
        Impl& impl;
        const bool reused;
        Connection& connection;
    };

    void close();
    void watch_set();
    void look_after(std::chrono::nanoseconds span);
    std::chrono::nanoseconds gather_span() const;
    void look();
    void watch_deadlines();
    void handle(Connection& connection, const ArrivalClock& clock);

    asio::awaitable<void> carry(Connection& connection);
    void begin(Connection& connection);
    void connect(Connection& connection);
    error_code start_connect(Connection& connection, const Tcp::endpoint& endpoint);
    void end_connect(Connection& connection);
    void send_more(Connection& connection);
    void receive(Connection& connection, const ArrivalClock& clock);
    void enter(Connection& connection, Connection::State state);
    void await(Connection& connection, Connection::State state);
    void end(Connection& connection, Result<void> outcome);
    void fail_with(Connection& connection, const error_code& error, std::string_view doing);

    asio::any_io_executor executor;
    std::vector<Tcp::endpoint> endpoints;
    asio::posix::stream_descriptor set;  // the epoll set, while the executor watches it
    int set_fd;                          // the same, always
    LeanConnectionList active, idle;
    std::array<char, kReadBytes> buffer{};
    asio::steady_timer timer, gather_timer;
    bool watching_set = false;  // or to be looked at soon
    bool watching_deadlines = false;
    std::chrono::nanoseconds usual_gap{0};  // between the pieces of an answer
    int sending = 0;                        // connections that have yet to send
    std::uint64_t opened = 0;
};

LeanHttpClient::Impl::Active::Active(Impl& own_impl, bool may_reuse)
    : impl(own_impl),
      reused(may_reuse && impl.idle.size() > 0),
      connection(impl.active.add(reused ? impl.idle.take(impl.idle.back()) : std::make_unique<Connection>())) {}

LeanHttpClient::Impl::Active::~Active() {
    auto own = impl.active.take(connection);
    impl.enter(*own, Connection::State::idle);
    if (!own->is_reusable() || impl.idle.size() >= kMaxIdle) return;
    own->on_data = nullptr;
    own->reader.reset();
    own->response = {};
    impl.idle.add(std::move(own));
}

// No more callbacks: the executor may be gone before they could run.
void LeanHttpClient::Impl::close() {
    error_code ignored;  // what is waited for ends either way
    set.cancel(ignored);
    timer.cancel();
    gather_timer.cancel();
}

// The whole set is one descriptor to the executor.
void LeanHttpClient::Impl::watch_set() {
    if (std::exchange(watching_set, true)) return;
    if (!set.is_open()) set.assign(set_fd);
    set.async_wait(asio::posix::stream_descriptor::wait_read, [weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (!self) return;
        self->watching_set = false;
        if (!error) self->look();
    });
}

// Meanwhile the executor does not watch the set: it would wake up for every piece.
void LeanHttpClient::Impl::look_after(std::chrono::nanoseconds span) {
    watching_set = true;
    set.release();
    gather_timer.expires_after(span);
    gather_timer.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (!self) return;
        self->watching_set = false;
        if (!error) self->look();
    });
}

// Zero where nothing is gained or a request would go out late.
std::chrono::nanoseconds LeanHttpClient::Impl::gather_span() const {
    const std::chrono::nanoseconds span = std::min<std::chrono::nanoseconds>(usual_gap / kGatherShare, kMostGather);
    return sending == 0 && span >= kLeastGather ? span : std::chrono::nanoseconds::zero();
}

void LeanHttpClient::Impl::look() {
    std::array<epoll_event, kMaxEvents> events;
    const int count = ::epoll_wait(set_fd, events.data(), kMaxEvents, 0);
    const ArrivalClock clock;
    // Handling one connection touches no other: whoever waits is resumed later, from the executor.
    for (int i = 0; i < count; ++i) handle(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr), clock);
    if (active.size() == 0) return;
    const auto span = gather_span();
    if (count > 0 && count < kMaxEvents && span > span.zero())
        look_after(span);
    else
        watch_set();
}

void LeanHttpClient::Impl::handle(Connection& connection, const ArrivalClock& clock) {
    // The server closed a kept connection, or speaks without being asked.
    if (connection.state == Connection::State::idle) {
        idle.take(connection);
        return;
    }
    if (connection.ended()) return;
    switch (connection.state) {
        case Connection::State::connecting: return end_connect(connection);
        case Connection::State::sending: return send_more(connection);
        default: return receive(connection, clock);
    }
}

// One timer for all: thousands of deadlines that hardly ever pass cost a look each, and no timer of their own.
void LeanHttpClient::Impl::watch_deadlines() {
    if (std::exchange(watching_deadlines, true)) return;
    timer.expires_after(kDeadlineCheck);
    timer.async_wait([weak = weak_from_this()](error_code error) {
        const auto self = weak.lock();
        if (!self || error) return;
        self->watching_deadlines = false;
        const auto now = Deadline::Clock::now();
        for (std::size_t i = self->active.size(); i-- > 0;) {
            Connection& connection = self->active[i];
            if (const auto point = connection.deadline.point(); connection.ended() || !point || *point > now) continue;
            connection.timed_out = true;
            const bool connected = connection.state != Connection::State::connecting;
            self->fail_with(connection, {}, connected ? "receiving" : "connecting");
        }
        if (self->active.size() > 0) return self->watch_deadlines();
        error_code ignored;  // nothing is waited for, so that an executor without other work may end
        self->set.cancel(ignored);
    });
}

void LeanHttpClient::Impl::enter(Connection& connection, Connection::State state) {
    const auto sends = [](Connection::State any) { return any == Connection::State::connecting || any == Connection::State::sending; };
    sending += sends(state) - sends(connection.state);
    connection.state = state;
}

void LeanHttpClient::Impl::await(Connection& connection, Connection::State state) {
    const bool reads = state == Connection::State::receiving;
    enter(connection, state);
    epoll_event event{.events = reads ? EPOLLIN : EPOLLOUT, .data = {.ptr = &connection}};
    ::epoll_ctl(set_fd, EPOLL_CTL_MOD, connection.fd, &event);
}

void LeanHttpClient::Impl::begin(Connection& connection) {
    watch_set();
    watch_deadlines();
    if (connection.fd >= 0) {
        enter(connection, Connection::State::receiving);
        send_more(connection);
    } else {
        ++opened;
        connect(connection);
    }
}

// Endpoints are tried in their order until one accepts.
void LeanHttpClient::Impl::connect(Connection& connection) {
    error_code error;
    for (; connection.endpoint < endpoints.size(); ++connection.endpoint) {
        error = start_connect(connection, endpoints[connection.endpoint]);
        if (!error) return;
    }
    fail_with(connection, error, "connecting");
}

error_code LeanHttpClient::Impl::start_connect(Connection& connection, const Tcp::endpoint& endpoint) {
    if (connection.fd >= 0) ::close(connection.fd);
    connection.fd = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection.fd < 0) return last_error();
    const int on = 1;
    (void)::setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // delay costs time, not correctness
    stamp_arrivals(connection.fd);
    if (::connect(connection.fd, endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0 && errno != EINPROGRESS) return last_error();
    // A server on this machine has accepted already: the request goes out now, not after all that is ready besides.
    const ssize_t sent = ::send(connection.fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block(errno)) return last_error();
    connection.unsent.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, sent)));
    enter(connection, sent < 0                    ? Connection::State::connecting
                      : connection.unsent.empty() ? Connection::State::receiving
                                                  : Connection::State::sending);
    epoll_event event{.events = connection.state == Connection::State::receiving ? EPOLLIN : EPOLLOUT, .data = {.ptr = &connection}};
    return ::epoll_ctl(set_fd, EPOLL_CTL_ADD, connection.fd, &event) == 0 ? error_code() : last_error();
}

void LeanHttpClient::Impl::end_connect(Connection& connection) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return send_more(connection);
    if (++connection.endpoint < endpoints.size()) return connect(connection);
    fail_with(connection, {error, boost::system::system_category()}, "connecting");
}

void LeanHttpClient::Impl::send_more(Connection& connection) {
    const ssize_t sent = ::send(connection.fd, connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0 && !would_block(errno)) return fail_with(connection, last_error(), "sending");
    connection.unsent.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(0, sent)));
    const bool whole = connection.unsent.empty();
    if (whole && connection.state == Connection::State::receiving) return;  // it waits for input already
    await(connection, whole ? Connection::State::receiving : Connection::State::sending);
}

void LeanHttpClient::Impl::receive(Connection& connection, const ArrivalClock& clock) {
    ArrivalTime arrived;
    const ssize_t count = clock.receive(connection.fd, buffer, arrived);
    if (count < 0) {
        if (!would_block(errno)) fail_with(connection, last_error(), "receiving");
        return;
    }
    Http1Reader& reader = connection.reader;
    if (count == 0) return end(connection, reader.end_of_stream());
    LeanResponse& response = connection.response;
    if (reader.started()) usual_gap += (arrived - response.received) / kGapMemory - usual_gap / kGapMemory;
    response.received = std::max(arrived, connection.sent);
    bool wanted = true;
    const auto on_body = [&](std::string_view piece) {
        if (reader.status() / 100 == 2)
            wanted = wanted && (*connection.on_data)(piece, response.received);
        else
            response.error_body += piece.substr(0, kMaxErrorBody - std::min(kMaxErrorBody, response.error_body.size()));
    };
    const auto used = reader.feed({buffer.data(), static_cast<std::size_t>(count)}, on_body);
    if (!used) return end(connection, fail(used.error()));
    if (!wanted) return end(connection, {});
    if (*used < static_cast<std::size_t>(count))
        return end(connection, fail(ErrorCode::bad_response, "the server sent more than its answer"));
    if (reader.done()) end(connection, {});
}

void LeanHttpClient::Impl::fail_with(Connection& connection, const error_code& error, std::string_view doing) {
    if (connection.timed_out) return end(connection, fail(ErrorCode::timeout, fmt::format("timed out {}", doing)));
    const ErrorCode code = doing == "connecting" ? ErrorCode::connect : ErrorCode::bad_response;
    end(connection, fail(code, fmt::format("{}: {}", doing, error.message())));
}

// The connection stays among the active ones until the exchange takes it back.
void LeanHttpClient::Impl::end(Connection& connection, Result<void> outcome) {
    if (connection.ended()) return;
    connection.outcome = std::move(outcome);
    asio::post(executor, std::exchange(connection.on_end, nullptr));
}

// Resumes when the connection's exchange has ended. Cancelling closes nothing yet: exchange() does.
asio::awaitable<void> LeanHttpClient::Impl::carry(Connection& connection) {
    auto initiate = [this, &connection](auto handler) {
        connection.slot = asio::get_associated_cancellation_slot(handler);
        if (connection.slot.is_connected())
            connection.slot.assign([this, &connection](asio::cancellation_type) {
                connection.cancelled = true;
                end(connection, {});
            });
        connection.on_end = std::move(handler);
        begin(connection);
    };
    return asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(initiate), asio::use_awaitable);
}

LeanHttpClient::LeanHttpClient(asio::any_io_executor executor, std::vector<Tcp::endpoint> endpoints)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(endpoints))) {}

LeanHttpClient::~LeanHttpClient() { impl_->close(); }

asio::awaitable<Result<LeanResponse>> LeanHttpClient::exchange(std::string_view request, Deadline deadline, OnData on_data) {
    Impl& impl = *impl_;
    for (bool may_reuse = true;; may_reuse = false) {
        const Impl::Active active(impl, may_reuse);
        Connection& connection = active.connection;
        connection.unsent = request;
        connection.deadline = deadline;
        connection.sent = ArrivalTime::clock::now();
        connection.on_data = &on_data;
        co_await impl.carry(connection);
        if (connection.slot.is_connected()) connection.slot.clear();
        if (connection.cancelled) throw boost::system::system_error(asio::error::operation_aborted);
        if (connection.outcome) co_return connection.take_response();
        const bool closed_while_idle = active.reused && !connection.reader.started() && !connection.timed_out;
        if (!closed_while_idle) co_return fail(connection.outcome.error());
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
