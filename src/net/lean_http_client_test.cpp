#include "net/lean_http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <thread>

#include "net/io_pool.h"
#include "net/loopback_fixture.h"

namespace plimsoll::net {
namespace {

asio::awaitable<void> echo(ServerRequest request, ServerResponse& response) {
    std::ignore = co_await response.send(200, "text/plain", std::move(request.body));
}

asio::awaitable<void> refuse(ServerRequest, ServerResponse& response) {
    std::ignore = co_await response.send(429, "text/plain", "busy", {{"Retry-After", "3"}});
}

asio::awaitable<void> trickle(ServerRequest, ServerResponse& response) {
    std::ignore = co_await response.start(200, "text/event-stream");
    for (int i = 0; i < 100; ++i) std::ignore = co_await response.write(fmt::format("data: {}\n\n", i));
    std::ignore = co_await response.finish();
}

asio::awaitable<void> cut(ServerRequest, ServerResponse& response) {
    std::ignore = co_await response.start(200, "text/event-stream");
    std::ignore = co_await response.write("data: half");
    response.abort(false);
}

constexpr int kPieces = 40;
std::vector<ArrivalTime> g_written;

// Far enough apart that the client gathers.
asio::awaitable<void> pace(ServerRequest, ServerResponse& response) {
    g_written.clear();
    std::ignore = co_await response.start(200, "text/event-stream");
    for (int i = 0; i < kPieces; ++i) {
        co_await sleep_for(std::chrono::milliseconds(8));
        g_written.push_back(ArrivalTime::clock::now());
        std::ignore = co_await response.write("data: x\n\n");
    }
    std::ignore = co_await response.finish();
}

asio::awaitable<void> hang(ServerRequest, ServerResponse& response) { co_await response.wait_gone(); }

class LeanClient : public LoopbackFixture {
  protected:
    void SetUp() override {
        server_.route("POST", "/echo", echo);
        server_.route("POST", "/refuse", refuse);
        server_.route("POST", "/trickle", trickle);
        server_.route("POST", "/pace", pace);
        server_.route("POST", "/cut", cut);
        server_.route("POST", "/hang", hang);
        start_server();
        client_.emplace(context_.get_executor(), LeanHttpClient::resolve("127.0.0.1", std::to_string(port_)).value());
    }
    void TearDown() override {
        client_.reset();
        LoopbackFixture::TearDown();
    }
    static std::string request(const std::string& path, const std::string& body) {
        return fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path, body.size(), body);
    }
    Result<LeanResponse> exchange(const std::string& path, const std::string& body = "", Deadline deadline = {}) {
        body_.clear();
        const std::string bytes = request(path, body);
        return wait(client_->exchange(bytes, deadline, [this](std::string_view piece, ArrivalTime) {
            body_ += piece;
            return true;
        }));
    }

    std::optional<LeanHttpClient> client_;
    std::string body_;
};

TEST_F(LeanClient, KeepsItsConnection) {
    for (const std::size_t size : {0u, 10u, 1'000'000u}) {
        const auto response = exchange("/echo", std::string(size, 'x'));
        ASSERT_TRUE(response);
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ(body_.size(), size);
    }
    EXPECT_EQ(client_->connections_opened(), 1u);
}

TEST_F(LeanClient, StreamsAndErrorStatuses) {
    ASSERT_TRUE(exchange("/trickle"));
    EXPECT_TRUE(body_.ends_with("data: 99\n\n"));
    const auto refused = exchange("/refuse");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(refused->error_body, "busy");
    EXPECT_EQ(refused->retry_after_s, 3);
    EXPECT_EQ(body_, "");
    EXPECT_EQ(client_->connections_opened(), 1u);
}

TEST_F(LeanClient, GatheredPiecesKeepTheirTimes) {
    for (int again = 0; again < 2; ++again) {
        std::vector<ArrivalTime> arrived;
        const std::string bytes = request("/pace", "");
        ASSERT_TRUE(wait(client_->exchange(bytes, {}, [&](std::string_view, ArrivalTime time) {
            arrived.push_back(time);
            return true;
        })));
        ASSERT_EQ(arrived.size(), g_written.size());
        std::vector<ArrivalTime::duration> late;
        for (std::size_t i = 0; i < arrived.size(); ++i) late.push_back(arrived[i] - g_written[i]);
        std::ranges::nth_element(late, late.begin() + kPieces / 2);
        EXPECT_LT(late[kPieces / 2], std::chrono::microseconds(500));  // half of what is gathered
    }
    ASSERT_TRUE(exchange("/echo", "and on"));
    EXPECT_EQ(body_, "and on");
}

TEST_F(LeanClient, CutStreamIsABadResponse) {
    const auto response = exchange("/cut");
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::bad_response);
    EXPECT_EQ(body_, "data: half");
}

TEST_F(LeanClient, DeadlineEndsAHangingCall) {
    const auto response = exchange("/hang", "", Deadline::after(std::chrono::milliseconds(5)));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::timeout);
}

TEST_F(LeanClient, EndsEarlyWhenNoMoreIsWanted) {
    const std::string bytes = request("/trickle", "");
    ASSERT_TRUE(wait(client_->exchange(bytes, {}, [](std::string_view, ArrivalTime) { return false; })));
    ASSERT_TRUE(exchange("/echo", "again"));
    EXPECT_EQ(client_->connections_opened(), 2u);
}

TEST_F(LeanClient, CancellationClosesTheConnection) {
    asio::cancellation_signal cancel;
    std::exception_ptr thrown;
    const std::string bytes = request("/hang", "");
    bool ended = false;
    asio::co_spawn(context_, client_->exchange(bytes, {}, [](std::string_view, ArrivalTime) { return true; }),
                   asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& error, const Result<LeanResponse>&) {
                       thrown = error;
                       ended = true;
                   }));
    ASSERT_TRUE(run_until([&] { return server_.open_connections() == 1; }));
    cancel.emit(asio::cancellation_type::terminal);
    ASSERT_TRUE(run_until([&] { return ended; }));
    EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
    EXPECT_TRUE(run_until([&] { return server_.open_connections() == 0; }));
}

TEST_F(LeanClient, NobodyAnswers) {
    asio::ip::tcp::acceptor closed(context_, {asio::ip::address_v4::loopback(), 0});
    const auto port = closed.local_endpoint().port();
    closed.close();
    LeanHttpClient client(context_.get_executor(), LeanHttpClient::resolve("127.0.0.1", std::to_string(port)).value());
    const auto response = wait(client.exchange("GET / HTTP/1.1\r\n\r\n", {}, [](std::string_view, ArrivalTime) { return true; }));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ErrorCode::connect);
}

// A server that closes kept connections while they are idle, as most do after a while.
TEST(LeanClientIdle, AConnectionTheServerClosedIsReplaced) {
    asio::io_context context{1};
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    int served = 0;
    asio::co_spawn(
        context,
        [](asio::ip::tcp::acceptor& listener, int& count) -> asio::awaitable<void> {
            for (; count < 2; ++count) {
                asio::ip::tcp::socket socket = co_await listener.async_accept(asio::use_awaitable);
                std::string bytes;
                co_await asio::async_read_until(socket, asio::dynamic_buffer(bytes), "\r\n\r\n", asio::use_awaitable);
                const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
            }
        }(acceptor, served),
        asio::detached);
    const auto endpoints = LeanHttpClient::resolve("127.0.0.1", std::to_string(acceptor.local_endpoint().port())).value();
    LeanHttpClient client(context.get_executor(), endpoints);
    int good = 0;
    asio::co_spawn(
        context,
        [](LeanHttpClient& http, int& ok) -> asio::awaitable<void> {
            for (int i = 0; i < 2; ++i) {
                const auto response =
                    co_await http.exchange("GET / HTTP/1.1\r\n\r\n", {}, [](std::string_view, ArrivalTime) { return true; });
                if (response) ++ok;
            }
        }(client, good),
        asio::detached);
    context.run_for(std::chrono::seconds(20));
    EXPECT_EQ(good, 2);
    EXPECT_EQ(client.connections_opened(), 2u);
}

constexpr auto kBusy = std::chrono::milliseconds(20);

// Answers once it may; both sides know how far the other is.
struct PromptedServer {
    asio::io_context context{1};
    asio::ip::tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), 0}};
    std::promise<void> asked, may_answer;
    std::promise<ArrivalTime> answered;
    std::jthread thread{[this] {
        asio::ip::tcp::socket socket = acceptor.accept();
        std::string bytes;
        asio::read_until(socket, asio::dynamic_buffer(bytes), "\r\n\r\n");
        asked.set_value();
        may_answer.get_future().wait();
        asio::write(socket, asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")));
        answered.set_value(ArrivalTime::clock::now());
    }};
};

asio::awaitable<void> ask(LeanHttpClient& client, std::optional<LeanResponse>& out) {
    out = (co_await client.exchange("GET / HTTP/1.1\r\n\r\n", {}, [](std::string_view, ArrivalTime) { return true; })).value();
}

// Keeps the thread from before the answer until well after it.
asio::awaitable<void> be_busy(PromptedServer& server, ArrivalTime& until) {
    auto asked = server.asked.get_future();
    while (asked.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    server.may_answer.set_value();
    until = server.answered.get_future().get() + kBusy;
    while (ArrivalTime::clock::now() < until) {
    }
}

TEST(LeanClientTime, IsThatOfTheKernelAndNotOfTheReader) {
    asio::io_context context{1};
    PromptedServer server;
    const auto port = std::to_string(server.acceptor.local_endpoint().port());
    LeanHttpClient client(context.get_executor(), LeanHttpClient::resolve("127.0.0.1", port).value());
    std::optional<LeanResponse> response;
    ArrivalTime busy_until;
    asio::co_spawn(context, ask(client, response), asio::detached);
    asio::co_spawn(context, be_busy(server, busy_until), asio::detached);
    context.run_for(std::chrono::seconds(20));
    ASSERT_TRUE(response);
    EXPECT_LT(response->received, busy_until);
}

}  // namespace
}  // namespace plimsoll::net
