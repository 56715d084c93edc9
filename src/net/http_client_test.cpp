#include "net/http_client.h"

#include <fmt/chrono.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/zlib/deflate_stream.hpp>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "net/io_pool.h"
#include "net/loopback_fixture.h"

namespace plimsoll::net {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(JoinUrl, OneSlash) {
    EXPECT_EQ(join_url("http://h/v1", "chat"), "http://h/v1/chat");
    EXPECT_EQ(join_url("http://h/v1/", "/chat/x"), "http://h/v1/chat/x");
    EXPECT_EQ(join_url("http://h", "//chat"), "http://h/chat");
    EXPECT_EQ(join_url("http://h//", ""), "http://h/");
}

TEST(FindHeader, FirstOfThatNameInAnyCase) {
    const Headers headers = {{"X-One", "1"}, {"x-one", "2"}};
    EXPECT_EQ(*find_header(headers, "X-ONE"), "1");
    EXPECT_EQ(find_header(headers, "x-on"), nullptr);
}

std::string deflated(const std::string& text) {
    boost::beast::zlib::deflate_stream deflate;
    std::string out(text.size() + 1000, '\0');
    boost::beast::zlib::z_params params;
    params.next_in = text.data();
    params.avail_in = text.size();
    params.next_out = out.data();
    params.avail_out = out.size();
    boost::system::error_code error;
    deflate.write(params, boost::beast::zlib::Flush::finish, error);
    out.resize(params.total_out);
    return out;
}

asio::awaitable<void> echo(ServerRequest request, ServerResponse& response) {
    std::string text = request.method + " " + request.path + "\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\n";
    std::ignore = co_await response.send(200, "text/plain", text + "\n" + request.body);
}

asio::awaitable<void> answer_with(int status, std::string body, Headers extra, ServerResponse& response) {
    std::ignore = co_await response.send(status, "text/plain", std::move(body), std::move(extra));
}

// What the client has got so far; on the io thread.
struct Confirmed {
    explicit Confirmed(asio::io_context& context) : changed(context, asio::steady_timer::time_point::max()) {}
    void add() {
        ++pieces;
        changed.cancel();
    }
    int pieces = 0;
    asio::steady_timer changed;
};

// Each piece after the first is sent only when the client has confirmed the one before.
asio::awaitable<void> step_by_step(Confirmed* confirmed, ServerResponse& response) {
    std::ignore = co_await response.start(200, "text/event-stream");
    for (int piece = 0; piece < 5; ++piece) {
        while (confirmed->pieces < piece) co_await confirmed->changed.async_wait(asio::as_tuple(asio::use_awaitable));
        std::ignore = co_await response.write("piece" + std::to_string(piece));
    }
    std::ignore = co_await response.finish();
}

asio::awaitable<void> hang(int* hanging, bool first_piece, ServerResponse& response) {
    struct Count {
        int* hanging;
        explicit Count(int* count) : hanging(count) { ++*hanging; }
        ~Count() { --*hanging; }
    } count(hanging);
    if (first_piece) {
        std::ignore = co_await response.start(200, "text/plain");
        std::ignore = co_await response.write("x");
    }
    co_await response.wait_gone();
}

class HttpClientTest : public LoopbackFixture {
  protected:
    HttpClientTest() {
        server_.route("GET", "/echo", echo);
        server_.route("POST", "/echo", echo);
        server_.route("PUT", "/echo", echo);
        server_.route("DELETE", "/echo", echo);
        server_.route("GET", "/busy", answering(429, "slow down", {{"Retry-After", "7"}}));
        server_.route("GET", "/moved", answering(302, "elsewhere", {{"Location", "/echo"}, {"X-First", "1"}}));
        server_.route("GET", "/round", answering(302, "", {{"Location", "/round"}}));
        server_.route("GET", "/file", answering(302, "", {{"Location", "file:///etc/passwd"}}));
        server_.route("GET", "/zip", answering(200, deflated(std::string(100'000, 'z')), {{"Content-Encoding", "deflate"}}));
        server_.route("GET", "/big", answering(200, std::string(3 << 20, 'b'), {}));
        server_.route("GET", "/steps",
                      [this](const ServerRequest&, ServerResponse& response) { return step_by_step(&confirmed_, response); });
        server_.route("GET", "/hang", [this](const ServerRequest&, ServerResponse& response) { return hang(&hanging_, false, response); });
        server_.route("GET", "/stall", [this](const ServerRequest&, ServerResponse& response) { return hang(&hanging_, true, response); });
        start_server();
    }

    static Handler answering(int status, std::string body, Headers extra) {
        return [=](const ServerRequest&, ServerResponse& response) { return answer_with(status, body, extra, response); };
    }

    Confirmed confirmed_{context_};
    int hanging_ = 0;
};

TEST_F(HttpClientTest, SendsWhatItIsGivenAndNothingOdd) {
    const auto response = wait(client().send(
        {.method = "POST", .url = url("/echo?a=b"), .headers = {{"X-Key", "v"}, {"X-Empty", ""}}, .body = std::string("a\0b", 3)}));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(*find_header(response->headers, "content-type"), "text/plain");
    EXPECT_THAT(response->body, HasSubstr("X-Key: v\n"));
    EXPECT_THAT(response->body, HasSubstr("X-Empty: \n"));
    EXPECT_THAT(response->body, HasSubstr("Content-Length: 3\n"));
    EXPECT_THAT(response->body, Not(HasSubstr("Expect")));
    EXPECT_THAT(response->body, Not(HasSubstr("Content-Type")));
    EXPECT_THAT(response->body, testing::EndsWith(std::string("\n\na\0b", 5)));
    EXPECT_LT(response->retry_after_s, 0);
}

TEST_F(HttpClientTest, EveryMethod) {
    EXPECT_THAT(wait(client().send({.method = "PUT", .url = url("/echo")}))->body,
                testing::AllOf(HasSubstr("Content-Length: 0\n"), Not(HasSubstr("Content-Type"))));
    EXPECT_THAT(wait(client().send({.method = "DELETE", .url = url("/echo")}))->body, testing::StartsWith("DELETE /echo\n"));
    EXPECT_THAT(wait(client().send({.method = "GET", .url = url("/echo"), .body = "odd"}))->body, testing::EndsWith("\n\nodd"));
    const auto head = wait(client().send({.method = "HEAD", .url = url("/big")}));
    EXPECT_EQ(head->status, 200);
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(*find_header(head->headers, "Content-Length"), std::to_string(3 << 20));
    EXPECT_EQ(wait(client().send({.method = "PATCH", .url = url("/echo")}))->status, 405);
}

TEST_F(HttpClientTest, LargeBodiesBothWays) {
    const std::string body(5 << 20, 'u');
    const auto response = wait(client().send({.method = "POST", .url = url("/echo"), .body = body}));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_TRUE(response->body.ends_with(body));
}

TEST_F(HttpClientTest, AnyStatusIsAnAnswer) {
    EXPECT_EQ(get("/none")->status, 404);
    const auto busy = get("/busy");
    EXPECT_EQ(busy->status, 429);
    EXPECT_EQ(busy->body, "slow down");
    EXPECT_DOUBLE_EQ(busy->retry_after_s, 7);
}

TEST_F(HttpClientTest, ReusesItsConnection) {
    for (int i = 0; i < 5; ++i) ASSERT_EQ(get("/echo")->status, 200);
    EXPECT_EQ(server_.open_connections(), 1u);
}

TEST_F(HttpClientTest, FollowsRedirectsWithinBounds) {
    const auto moved = get("/moved");
    EXPECT_EQ(moved->status, 200);
    EXPECT_EQ(find_header(moved->headers, "X-First"), nullptr);
    EXPECT_THAT(moved->body, testing::StartsWith("GET /echo\n"));
    EXPECT_EQ(get("/round").error().code, ErrorCode::bad_response);
    EXPECT_EQ(get("/file").error().code, ErrorCode::bad_response);
}

TEST_F(HttpClientTest, DecompressesAndBoundsWhatComesOut) {
    EXPECT_EQ(get("/zip")->body, std::string(100'000, 'z'));
    EXPECT_EQ(wait(client().send({.url = url("/zip"), .max_response_bytes = 99'999})).error().code, ErrorCode::limit);
    EXPECT_TRUE(wait(client().send({.url = url("/zip"), .max_response_bytes = 100'000})));
    EXPECT_EQ(wait(client().send({.url = url("/big"), .max_response_bytes = 1 << 20})).error().code, ErrorCode::limit);
}

asio::awaitable<void> count_one(HttpClient& client, std::string url, int* answers) {
    const auto response = co_await client.send({.url = url});
    if (response && response->status == 200) ++*answers;
}

TEST_F(HttpClientTest, TwoHundredAtOnce) {
    int answers = 0;
    for (int i = 0; i < 200; ++i) asio::co_spawn(context_, count_one(client(), url("/echo"), &answers), asio::detached);
    EXPECT_TRUE(run_until([&] { return answers == 200; }));
    EXPECT_EQ(client().open_transfers(), 0u);
}

TEST_F(HttpClientTest, PiecesArriveOneByOne) {
    std::vector<std::string> pieces;
    const auto response = wait(client().stream({.url = url("/steps")}, [&](std::string_view piece) {
        pieces.emplace_back(piece);
        confirmed_.add();
        return true;
    }));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->body, "");
    EXPECT_THAT(pieces, ElementsAre("piece0", "piece1", "piece2", "piece3", "piece4"));
}

TEST_F(HttpClientTest, ConsumerMayStopEarlyAndMayThrow) {
    confirmed_.pieces = 100;
    const auto response = wait(client().stream({.url = url("/steps")}, [](std::string_view) { return false; }));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    EXPECT_THROW(wait(client().stream({.url = url("/steps")}, [](std::string_view) -> bool { throw std::out_of_range("x"); })),
                 std::out_of_range);
    EXPECT_EQ(client().open_transfers(), 0u);
    EXPECT_EQ(get("/echo")->status, 200);
}

TEST_F(HttpClientTest, ErrorBodyOfAStreamIsKept) {
    const auto response = wait(client().stream({.url = url("/busy")}, [](std::string_view) {
        ADD_FAILURE() << "not a 2xx";
        return true;
    }));
    EXPECT_EQ(response->status, 429);
    EXPECT_EQ(response->body, "slow down");
}

TEST_F(HttpClientTest, DeadlineEndsAHangingCallAndAStalledStream) {
    for (const char* path : {"/hang", "/stall"}) {
        const auto response = wait(client().send({.url = url(path), .deadline = Deadline::after(milliseconds(30))}));
        EXPECT_EQ(response.error().code, ErrorCode::timeout) << path;
    }
    EXPECT_TRUE(run_until([&] { return hanging_ == 0 && server_.open_connections() == 0; }));
}

TEST_F(HttpClientTest, PassedDeadlineSendsNothing) {
    EXPECT_EQ(wait(client().send({.url = url("/echo"), .deadline = Deadline::after(milliseconds(-1))})).error().code, ErrorCode::timeout);
    EXPECT_EQ(server_.open_connections(), 0u);
}

asio::awaitable<void> stream_into(HttpClient& client, std::string url, std::string* text) {
    const auto response = co_await client.stream({.url = url}, [text](std::string_view piece) {
        text->append(piece);
        return true;
    });
    ADD_FAILURE() << "it should have been cancelled";
}

TEST_F(HttpClientTest, CancellingEndsTheTransfer) {
    for (const char* path : {"/hang", "/stall"}) {
        asio::cancellation_signal cancel;
        std::string text;
        std::exception_ptr failure;
        asio::co_spawn(context_, stream_into(client(), url(path), &text),
                       asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr error) { failure = error; }));
        ASSERT_TRUE(run_until([&] { return hanging_ == 1 && (path == std::string("/hang") || text == "x"); }));
        EXPECT_EQ(client().open_transfers(), 1u);
        asio::post(context_, [&] { cancel.emit(asio::cancellation_type::terminal); });
        ASSERT_TRUE(run_until([&] { return failure != nullptr; }));
        try {
            std::rethrow_exception(failure);
        } catch (const boost::system::system_error& error) {
            EXPECT_EQ(error.code(), asio::error::operation_aborted);
        }
        EXPECT_EQ(client().open_transfers(), 0u);
        EXPECT_TRUE(run_until([&] { return hanging_ == 0; }));
    }
}

TEST_F(HttpClientTest, WrongRequestsAreRefusedBeforeTheyAreSent) {
    for (const char* bad :
         {"", "127.0.0.1:1", "/echo", "file:///etc/passwd", "http://", "http://a b/", "http://h:99999/", "http://h/\r\nX: y"})
        EXPECT_EQ(wait(client().send({.url = bad})).error().code, ErrorCode::invalid_argument) << bad;
    EXPECT_EQ(wait(client().send({.method = "GET /x HTTP/1.1\r\n", .url = url("/echo")})).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(wait(client().send({.url = url("/echo"), .headers = {{"X", "a\r\nY: b"}}})).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(wait(client().send({.url = url("/echo"), .headers = {{"X: y\r\nZ", "a"}}})).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(server_.open_connections(), 0u);
}

TEST_F(HttpClientTest, NobodyThere) {
    Tcp::acceptor reserved(context_, {asio::ip::address_v4::loopback(), 0});
    const auto port = std::to_string(reserved.local_endpoint().port());
    reserved.close();
    const auto response = wait(client().send({.url = "http://user:hunter2@127.0.0.1:" + port + "/"}));
    EXPECT_EQ(response.error().code, ErrorCode::connect);
    EXPECT_THAT(response.error().message, HasSubstr("127.0.0.1:" + port));
    EXPECT_THAT(response.error().message, Not(HasSubstr("hunter2")));
}

TEST_F(HttpClientTest, TlsAgainstAPlainServerIsAFailedConnection) {
    EXPECT_EQ(wait(client().send({.url = "https://127.0.0.1:" + std::to_string(port_) + "/echo"})).error().code, ErrorCode::connect);
}

class ProxyTest : public HttpClientTest {
  protected:
    ProxyTest() {
        for (const char* name : kVariables) {
            const char* const value = std::getenv(name);
            before_.emplace_back(value == nullptr ? std::nullopt : std::optional<std::string>(value));
            ::unsetenv(name);
        }
    }
    ~ProxyTest() override {
        for (std::size_t i = 0; i < before_.size(); ++i) {
            ::unsetenv(kVariables[i]);
            if (before_[i]) ::setenv(kVariables[i], before_[i]->c_str(), 1);
        }
    }

    static constexpr std::array kVariables = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"};
    std::vector<std::optional<std::string>> before_;
};

TEST_F(ProxyTest, EnvironmentNamesTheProxy) {
    ::setenv("HTTP_PROXY", url("").c_str(), 1);
    const auto response = wait(client().send({.url = "http://nowhere.invalid/echo"}));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_THAT(response->body, testing::StartsWith("GET /echo\nHost: nowhere.invalid\n"));
}

TEST_F(ProxyTest, LoopbackAndNamedHostsGoWithoutIt) {
    ::setenv("HTTP_PROXY", url("").c_str(), 1);
    ::setenv("NO_PROXY", "127.0.0.2", 1);
    // Nobody listens on port 1; the proxy would have answered.
    for (const char* host : {"127.0.0.1", "localhost", "127.0.0.2"})
        EXPECT_EQ(wait(client().send({.url = std::string("http://") + host + ":1/echo"})).error().code, ErrorCode::connect) << host;
    EXPECT_EQ(wait(client().send({.url = "http://127.0.0.3:1/echo"}))->status, 200);
}

TEST_F(HttpClientTest, ContextWithOpenTransfersCanBeDestroyed) {
    asio::io_context other;
    std::string text;
    auto& client = HttpClient::of(other.get_executor());
    asio::co_spawn(other, stream_into(client, url("/stall"), &text), asio::detached);
    ASSERT_TRUE(run_until([&] {
        other.poll();
        return text == "x";
    }));
    EXPECT_EQ(client.open_transfers(), 1u);
}

TEST(HttpClient, IdleConnectionsLetTheContextRunDry) {
    asio::io_context servers;
    HttpServer server(servers.get_executor(), {});
    server.route("GET", "/", echo);
    const auto url = "http://127.0.0.1:" + std::to_string(server.listen().value()) + "/";
    asio::co_spawn(servers, server.run(), asio::detached);
    std::jthread thread([&] { servers.run(); });
    {
        asio::io_context context;
        int answers = 0;
        asio::co_spawn(context, count_one(HttpClient::of(context.get_executor()), url, &answers), asio::detached);
        context.run_for(std::chrono::seconds(30));
        EXPECT_EQ(answers, 1);
        EXPECT_TRUE(context.stopped());
    }
    server.stop();
}

// A server that says exactly what a test wants: each connection in turn gets its answers, one a request, and is closed.
class RawServerTest : public LoopbackFixture {
  protected:
    using Script = std::vector<std::vector<std::string>>;  // per connection, per request

    RawServerTest() : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {}

    std::string serve(Script script) {
        asio::co_spawn(context_, play(std::move(script)), asio::detached);
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
    }

    asio::awaitable<void> play(Script script) {
        for (const auto& answers : script) {
            Tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
            ++connections_;
            for (const std::string& answer : answers) {
                std::string request;
                co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", asio::as_tuple(asio::use_awaitable));
                co_await asio::async_write(socket, asio::buffer(answer), asio::as_tuple(asio::use_awaitable));
                if (answer == kReset) socket.set_option(asio::socket_base::linger(true, 0));
            }
        }
    }

    ErrorCode error_of(std::string answer) {
        const auto response = wait(client().send({.url = serve({{std::move(answer)}})}));
        EXPECT_FALSE(response);
        return response ? ErrorCode::internal : response.error().code;
    }

    static inline const std::string kReset = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";

    Tcp::acceptor acceptor_;
    int connections_ = 0;
};

TEST_F(RawServerTest, CutAnswersAreBadResponses) {
    EXPECT_EQ(error_of(""), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-"), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), ErrorCode::bad_response);
    EXPECT_EQ(error_of(kReset), ErrorCode::bad_response);
}

TEST_F(RawServerTest, GarbageIsABadResponse) {
    EXPECT_EQ(error_of("SSH-2.0-OpenSSH_9.2\r\n"), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 banana\r\n\r\n"), ErrorCode::bad_response);
    EXPECT_EQ(error_of(std::string(1000, '\0')), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), ErrorCode::bad_response);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain"), ErrorCode::bad_response);
}

TEST_F(RawServerTest, CutStreamIsABadResponseAfterItsPieces) {
    std::string text;
    const auto response = wait(client().stream({.url = serve({{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}})},
                                               [&](std::string_view piece) {
                                                   text += piece;
                                                   return true;
                                               }));
    EXPECT_EQ(response.error().code, ErrorCode::bad_response);
    EXPECT_EQ(text, "hello");
}

TEST_F(RawServerTest, EndlessHeadersAreALimit) {
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 10'000; ++i) many += "X-" + std::to_string(i) + ": 0123456789012345678901234567890\r\n";
    EXPECT_EQ(error_of(many + "\r\n"), ErrorCode::limit);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n"), ErrorCode::limit);
}

TEST_F(RawServerTest, OldAndOddAnswersWork) {
    EXPECT_EQ(wait(client().send({.url = serve({{"HTTP/1.0 200 OK\r\n\r\nto the end"}})}))->body, "to the end");
    const auto response = wait(client().send(
        {.url = serve({{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 206 Part\r\nX: a\r\n  b\r\nSpaced:   v  \r\nContent-Length: 0\r\n\r\n"}})}));
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 206);
    EXPECT_EQ(*find_header(response->headers, "X"), "a b");
    EXPECT_EQ(*find_header(response->headers, "Spaced"), "v");
}

TEST_F(RawServerTest, ConnectionClosedWhileIdleIsReplaced) {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto url = serve({{ok}, {ok}});
    EXPECT_EQ(wait(client().send({.url = url}))->body, "ok");
    EXPECT_EQ(wait(client().send({.method = "POST", .url = url, .body = "x"}))->body, "ok");
    EXPECT_EQ(connections_, 2);
}

TEST_F(RawServerTest, ConnectionClosedUnderTheNextRequestIsReplaced) {
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const auto url = serve({{ok, ""}, {ok}});  // reads the second request, then closes without an answer
    EXPECT_EQ(wait(client().send({.url = url}))->body, "ok");
    EXPECT_EQ(wait(client().send({.method = "POST", .url = url, .body = "x"}))->body, "ok");
    EXPECT_EQ(connections_, 2);
}

TEST_F(RawServerTest, RetryAfterInSecondsOrAsADate) {
    const auto retry_after = [&](std::string value) {
        return wait(client().send({.url = serve({{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: " + value + "\r\n\r\n"}})}))
            ->retry_after_s;
    };
    const auto http_date = [](int from_now) {
        return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(std::time(nullptr) + from_now));
    };
    EXPECT_DOUBLE_EQ(retry_after("12"), 12);
    EXPECT_DOUBLE_EQ(retry_after(" 0.5 "), 0.5);
    EXPECT_NEAR(retry_after(http_date(90)), 90, 10);
    EXPECT_DOUBLE_EQ(retry_after(http_date(-90)), 0);
    for (const char* value : {"", "-3", "soon", "nan", "inf", "12 s"}) EXPECT_LT(retry_after(value), 0) << value;
}

}  // namespace
}  // namespace plimsoll::net
