#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include "net/io_pool.h"
#include "net/loopback_fixture.h"

namespace plimsoll::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

asio::awaitable<void> echo(ServerRequest request, ServerResponse& response) {
    std::string text = request.method + " " + request.path + "\n";
    for (const auto& [name, value] : request.params) text += "param " + name + "=" + value + "\n";
    for (const auto& [name, value] : request.query) text += "query " + name + "=" + value + "\n";
    text += request.body;
    std::ignore = co_await response.send(200, "text/plain", std::move(text));
}

asio::awaitable<void> throw_error(ServerRequest, ServerResponse&) {
    throw std::runtime_error("secret detail");
    co_return;
}

asio::awaitable<void> say_nothing(ServerRequest, ServerResponse&) { co_return; }

asio::awaitable<void> stream_two(ServerRequest, ServerResponse& response) {
    EXPECT_TRUE(co_await response.start(200, "text/event-stream", {{"X-Extra", "a\r\nInjected: b"}}));
    EXPECT_TRUE(co_await response.write("one"));
    EXPECT_TRUE(co_await response.write(""));
    EXPECT_TRUE(co_await response.write("twotwotwotwotwotwo"));
    EXPECT_TRUE(co_await response.finish());
}

asio::awaitable<void> stream_without_end(ServerRequest request, ServerResponse& response) {
    std::ignore = co_await response.start(200, "text/plain");
    std::ignore = co_await response.write("half");
    if (request.path == "/throws") throw std::runtime_error("in mid-answer");
    if (request.path == "/resets") response.abort(true);
    if (request.path == "/closes") response.abort(false);
    if (request.path == "/resets" || request.path == "/closes") {
        EXPECT_TRUE(response.client_gone());
        EXPECT_EQ((co_await response.write("more")).error().code, ErrorCode::connect);
    }
}

// Waits for the client to leave, or is cancelled.
asio::awaitable<void> hang(int* entered, int* left, ServerRequest, ServerResponse& response) {
    struct Count {
        int* left;
        ~Count() { ++*left; }
    } count{left};
    ++*entered;
    co_await response.wait_gone();
}

class HttpServerTest : public LoopbackFixture {
  protected:
    explicit HttpServerTest(ServerOptions options = {.max_body_bytes = 1000}) : LoopbackFixture(std::move(options)) {
        server_.route("GET", "/echo", echo);
        server_.route("POST", "/echo", echo);
        server_.route("GET", "/jobs/{id}", echo);
        server_.route("GET", "/error", throw_error);
        server_.route("GET", "/nothing", say_nothing);
        server_.route("GET", "/stream", stream_two);
        for (const char* path : {"/throws", "/resets", "/closes", "/returns"}) server_.route("GET", path, stream_without_end);
        server_.route("GET", "/hang", [this](ServerRequest request, ServerResponse& response) {
            return hang(&entered_, &left_, std::move(request), response);
        });
        start_server();
    }

    asio::awaitable<Tcp::socket> open_hanging() {
        auto socket = co_await raw_connect(port_);
        co_await asio::async_write(socket, asio::buffer("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n", 31), asio::use_awaitable);
        co_return socket;
    }

    int entered_ = 0;
    int left_ = 0;
};

TEST_F(HttpServerTest, AnswersWithLengthDateAndName) {
    const auto answer = exchange("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 10\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Type: text/plain\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nServer: plimsoll\r\n"));
    EXPECT_THAT(answer, testing::ContainsRegex("\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /echo\n"));
}

TEST_F(HttpServerTest, ParametersAndQueryAreDecoded) {
    const auto answer = exchange("GET /jobs/a%20b?q=x%26y+z HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, EndsWith("GET /jobs/a%20b\nparam id=a b\nquery q=x&y z\n"));
}

TEST_F(HttpServerTest, UnknownPathAndMethod) {
    EXPECT_THAT(exchange("GET /none HTTP/1.1\r\nConnection: close\r\n\r\n"),
                testing::AllOf(StartsWith("HTTP/1.1 404 "), EndsWith("\r\n\r\n{\"detail\":\"Not Found\"}")));
    EXPECT_THAT(exchange("PUT /echo HTTP/1.1\r\nConnection: close\r\n\r\n"),
                testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, POST\r\n"),
                               EndsWith("\r\n\r\n{\"detail\":\"Method Not Allowed\"}")));
}

TEST_F(HttpServerTest, HandlerErrorsBecome500AndTheConnectionGoesOn) {
    const auto answer = exchange(
        "GET /error HTTP/1.1\r\n\r\n"
        "GET /nothing HTTP/1.1\r\n\r\n"
        "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
    EXPECT_THAT(answer, HasSubstr("}HTTP/1.1 500 "));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /echo\n"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
    std::string requests;
    for (int i = 0; i < 500; ++i) requests += "GET /jobs/" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    const auto answer = exchange(requests + "GET /jobs/last HTTP/1.1\r\nConnection: close\r\n\r\n");
    std::size_t position = 0;
    for (int i = 0; i < 500; ++i) {
        position = answer.find("param id=" + std::to_string(i) + "\n", position);
        ASSERT_NE(position, std::string::npos) << i;
    }
    EXPECT_THAT(answer, EndsWith("param id=last\n"));
}

TEST_F(HttpServerTest, StreamsInChunks) {
    const auto answer = exchange("GET /stream HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("\r\nInjected")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n"));
}

TEST_F(HttpServerTest, Http10StreamEndsWithTheConnection) {
    const auto answer = exchange("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(answer, Not(HasSubstr("chunked")));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nonetwotwotwotwotwotwo"));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
    EXPECT_THAT(exchange("HEAD /echo HTTP/1.1\r\nConnection: close\r\n\r\n"),
                testing::AllOf(HasSubstr("\r\nContent-Length: 11\r\n"), EndsWith("\r\n\r\n")));
    EXPECT_THAT(exchange("HEAD /stream HTTP/1.1\r\n\r\nHEAD /stream HTTP/1.1\r\nConnection: close\r\n\r\n"),
                testing::AllOf(EndsWith("\r\n\r\n"), Not(HasSubstr("one"))));
}

TEST_F(HttpServerTest, StreamWithoutEndIsVisiblyCut) {
    for (const char* path : {"/throws", "/closes", "/returns"}) {
        const auto answer = exchange(std::string("GET ") + path + " HTTP/1.1\r\n\r\n");
        EXPECT_THAT(answer, EndsWith("\r\n\r\n4\r\nhalf\r\n")) << path;
    }
}

asio::awaitable<boost::system::error_code> read_to_error(std::uint16_t port, std::string bytes) {
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(bytes), asio::use_awaitable);
    std::string answer;
    const auto [error, count] = co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
    co_return error;
}

TEST_F(HttpServerTest, AbortResetsOrCloses) {
    EXPECT_EQ(wait(read_to_error(port_, "GET /resets HTTP/1.1\r\n\r\n")), asio::error::connection_reset);
    EXPECT_EQ(wait(read_to_error(port_, "GET /closes HTTP/1.1\r\n\r\n")), asio::error::eof);
}

TEST_F(HttpServerTest, BodiesOfEveryFraming) {
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"), EndsWith("POST /echo\nhello"));
    EXPECT_THAT(
        exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"),
        EndsWith("POST /echo\nhello"));
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nConnection: close\r\n\r\n"), EndsWith("POST /echo\n"));
}

TEST_F(HttpServerTest, BodyAboveTheBoundIs413) {
    const std::string big(5000, 'x');
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nContent-Length: 1001\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999\r\n\r\n" + big), StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + big + "\r\n0\r\n\r\n"),
                StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n" + std::string(1000, 'x')),
                StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, HugeRefusedUploadStillGetsItsAnswer) {
    const std::string huge(8 << 20, 'x');
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nContent-Length: " + std::to_string(huge.size()) + "\r\n\r\n" + huge),
                StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, EndlessHeadersAndChunkLinesAreRefused) {
    const std::string long_text(200'000, 'a');
    EXPECT_THAT(exchange("GET /echo HTTP/1.1\r\nX: " + long_text), StartsWith("HTTP/1.1 431 "));
    EXPECT_THAT(exchange("GET /" + long_text), StartsWith("HTTP/1.1 4"));
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long_text), StartsWith("HTTP/1.1 4"));
}

TEST_F(HttpServerTest, GarbageIs400) {
    for (const char* bytes :
         {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
          "POST /echo HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
          "POST /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"})
        EXPECT_THAT(exchange(bytes), StartsWith("HTTP/1.1 400 ")) << bytes;
}

TEST_F(HttpServerTest, ContinuesWhenAsked) {
    EXPECT_THAT(exchange("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"),
                EndsWith("POST /echo\nhi"));
}

asio::awaitable<std::string> expect_continue(std::uint16_t port) {
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
    const std::string head = "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(head), asio::use_awaitable);
    std::string answer;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(answer), "\r\n\r\n", asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer("hi", 2), asio::use_awaitable);
    co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
    co_return answer;
}

TEST_F(HttpServerTest, WaitingClientIsToldToContinue) {
    EXPECT_THAT(wait(expect_continue(port_)), testing::AllOf(StartsWith("HTTP/1.1 100 "), EndsWith("POST /echo\nhi")));
}

TEST_F(HttpServerTest, NoticesThatTheClientHasGone) {
    {
        const auto socket = wait(open_hanging());
        ASSERT_TRUE(run_until([&] { return entered_ == 1; }));
        EXPECT_EQ(left_, 0);
        EXPECT_EQ(server_.open_connections(), 1u);
    }
    EXPECT_TRUE(run_until([&] { return left_ == 1 && server_.open_connections() == 0; }));
}

TEST_F(HttpServerTest, NoticesItBehindPipelinedBytesToo) {
    {
        auto socket = wait(open_hanging());
        ASSERT_TRUE(run_until([&] { return entered_ == 1; }));
        asio::write(socket, asio::buffer("GET /echo HTTP/1.1\r\n\r\n", 22));
    }
    EXPECT_TRUE(run_until([&] { return left_ == 1; }));
}

TEST_F(HttpServerTest, StopEndsOpenStreamsAndIdleConnections) {
    std::vector<Tcp::socket> sockets;
    for (int i = 0; i < 20; ++i) sockets.push_back(wait(open_hanging()));
    sockets.push_back(wait(raw_connect(port_)));
    ASSERT_TRUE(run_until([&] { return entered_ == 20 && server_.open_connections() == 21; }));
    server_.stop();
    EXPECT_TRUE(run_until([&] { return server_ended_; }));
    EXPECT_EQ(left_, 20);
    EXPECT_EQ(server_.open_connections(), 0u);
    EXPECT_EQ(get("/echo").error().code, ErrorCode::connect);
}

TEST_F(HttpServerTest, RunsOutOfDescriptorsAndRecovers) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    auto first = wait(open_hanging());
    ASSERT_TRUE(run_until([&] { return entered_ == 1; }));
    Tcp::socket second(context_, Tcp::v4());  // its descriptor exists before the bound falls
    const rlimit tight{.rlim_cur = static_cast<rlim_t>(second.native_handle()) + 1, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
    second.connect({asio::ip::address_v4::loopback(), port_});
    asio::write(second, asio::buffer("GET /hang HTTP/1.1\r\n\r\n", 22));
    context_.restart();
    context_.poll();
    EXPECT_EQ(entered_, 1);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(run_until([&] { return entered_ == 2; }));
}

class TightServerTest : public HttpServerTest {
  protected:
    TightServerTest() : HttpServerTest({.max_connections = 2, .idle_timeout = std::chrono::seconds(1)}) {}
};

TEST_F(TightServerTest, FurtherConnectionsAreClosedAndCounted) {
    const auto first = wait(open_hanging());
    const auto second = wait(open_hanging());
    ASSERT_TRUE(run_until([&] { return entered_ == 2; }));
    EXPECT_EQ(exchange(""), "");
    EXPECT_EQ(server_.refused_connections(), 1u);
}

TEST_F(TightServerTest, SilentClientsAreClosedButSlowHandlersAreNot) {
    const auto slow = wait(open_hanging());
    EXPECT_EQ(exchange(""), "");
    EXPECT_EQ(exchange("GET /echo HTT"), "");
    EXPECT_EQ(exchange("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"), "");
    EXPECT_EQ(entered_, 1);
    EXPECT_EQ(left_, 0);
}

asio::awaitable<void> flood(bool* ended, ServerRequest, ServerResponse& response) {
    const auto sent = co_await response.send(200, "text/plain", std::string(64 << 20, 'x'));
    EXPECT_EQ(sent.error().code, ErrorCode::connect);
    *ended = true;
}

TEST(HttpServer, ClientThatDoesNotReadIsClosed) {
    asio::io_context context;
    HttpServer server(context.get_executor(), {.idle_timeout = std::chrono::seconds(1)});
    bool ended = false;
    server.route("GET", "/", [&](ServerRequest request, ServerResponse& response) { return flood(&ended, std::move(request), response); });
    const auto port = server.listen().value();
    asio::co_spawn(context, server.run(), asio::detached);
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket, asio::buffer("GET / HTTP/1.1\r\n\r\n", 18));
    for (int i = 0; i < 3000 && !ended; ++i) context.run_one_for(std::chrono::milliseconds(10));
    EXPECT_TRUE(ended);
    server.stop();
    context.run_for(std::chrono::seconds(5));
    EXPECT_EQ(server.open_connections(), 0u);
}

TEST(HttpServer, ListenSaysWhatIsWrong) {
    asio::io_context context;
    HttpServer first(context.get_executor(), {});
    const auto port = first.listen();
    ASSERT_TRUE(port);
    EXPECT_NE(*port, 0);
    HttpServer second(context.get_executor(), {.port = *port});
    EXPECT_EQ(second.listen().error().code, ErrorCode::in_use);
    for (const char* host : {"no such host", "", "300.1.1.1", "192.0.2.1"})
        EXPECT_EQ(HttpServer(context.get_executor(), {.host = host}).listen().error().code, ErrorCode::invalid_argument) << host;
    EXPECT_TRUE(HttpServer(context.get_executor(), {.host = "localhost"}).listen());
}

TEST(HttpServer, StopBeforeRunEndsIt) {
    asio::io_context context;
    HttpServer server(context.get_executor(), {});
    ASSERT_TRUE(server.listen());
    server.stop();
    bool ended = false;
    asio::co_spawn(context, server.run(), [&](std::exception_ptr) { ended = true; });
    context.run();
    EXPECT_TRUE(ended);
}

TEST(HttpServer, CancellingRunStopsIt) {
    asio::io_context context;
    HttpServer server(context.get_executor(), {});
    ASSERT_TRUE(server.listen());
    asio::cancellation_signal cancel;
    bool ended = false;
    asio::co_spawn(context, server.run(), asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { ended = true; }));
    context.poll();
    EXPECT_FALSE(ended);
    cancel.emit(asio::cancellation_type::terminal);
    context.run_for(std::chrono::seconds(30));
    EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace plimsoll::net
