// For tests: a server and whoever talks to it on one io_context that runs only while the test waits for something, so that
// a test reads from top to bottom. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "net/http_client.h"
#include "net/http_server.h"

namespace plimsoll::net {

class LoopbackFixture : public testing::Test {
  protected:
    using Tcp = asio::ip::tcp;
    static constexpr std::chrono::seconds kPatience{30};

    explicit LoopbackFixture(ServerOptions options = {}) : server_(context_.get_executor(), std::move(options)) {}

    // After the routes.
    void start_server() {
        port_ = server_.listen().value();
        asio::co_spawn(context_, server_.run(), [this](std::exception_ptr) { server_ended_ = true; });
    }

    void TearDown() override {
        if (port_ == 0) return;
        server_.stop();
        EXPECT_TRUE(run_until([this] { return server_ended_; }));
    }

    // False when it did not become true in time.
    bool run_until(const std::function<bool()>& condition) {
        const auto limit = std::chrono::steady_clock::now() + kPatience;
        context_.restart();
        while (!condition()) {
            if (std::chrono::steady_clock::now() > limit) return false;
            context_.run_one_for(std::chrono::milliseconds(20));
            if (context_.stopped()) context_.restart();
        }
        return true;
    }

    template <class T>
    T wait(asio::awaitable<T> work) {
        std::optional<T> result;
        std::exception_ptr failure;
        bool ended = false;
        asio::co_spawn(context_, keep(std::move(work), result), [&](std::exception_ptr error) {
            ended = true;
            failure = error;
        });
        if (!run_until([&] { return ended; })) throw std::runtime_error("the test waited in vain");
        if (failure) std::rethrow_exception(failure);
        return std::move(*result);
    }

    HttpClient& client() { return HttpClient::of(context_.get_executor()); }
    std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }
    Result<HttpResponse> get(const std::string& path) { return wait(client().send({.url = url(path)})); }

    // Sends bytes as they are and returns everything the server says until it closes.
    std::string exchange(std::string bytes) { return wait(raw_exchange(port_, std::move(bytes))); }

    static asio::awaitable<Tcp::socket> raw_connect(std::uint16_t port) {
        Tcp::socket socket(co_await asio::this_coro::executor);
        co_await socket.async_connect({asio::ip::address_v4::loopback(), port}, asio::use_awaitable);
        co_return socket;
    }

    static asio::awaitable<std::string> raw_exchange(std::uint16_t port, std::string bytes) {
        Tcp::socket socket = co_await raw_connect(port);
        co_await asio::async_write(socket, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
        std::string answer;
        co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
        co_return answer;
    }

    template <class T>
    static asio::awaitable<void> keep(asio::awaitable<T> work, std::optional<T>& result) {
        result.emplace(co_await std::move(work));
    }

    asio::io_context context_{1};
    HttpServer server_;
    std::uint16_t port_ = 0;
    bool server_ended_ = false;
};

}  // namespace plimsoll::net
