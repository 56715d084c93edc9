// Runs a server until it is told to stop: with as many connections as the system allows, prints where it listens, ends on SIGINT or
// SIGTERM.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "cli/descriptors.h"
#include "net/io_pool.h"

namespace plimsoll::cli {

namespace detail {

template <class Server>
boost::asio::awaitable<void> serve_until_signal(Server& server, std::string url) {
    boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGINT, SIGTERM);
    signals.async_wait([&server](const boost::system::error_code& error, int) {
        if (!error) server.stop();
    });
    std::printf("listening on %s\n", url.c_str());
    std::fflush(stdout);
    co_await server.run();
}

}  // namespace detail

// `server` has listen()ed and lives on pool.at(0).
template <class Server>
void serve_until_signal(net::IoPool& pool, Server& server, const std::string& url) {
    raise_descriptor_limit();
    pool.run([&] { return detail::serve_until_signal(server, url); });
}

}  // namespace plimsoll::cli
