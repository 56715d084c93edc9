// A small HTTP/1.1 client for one plain-http server and many requests: kept-alive connections, one system call to send and one to
// receive, no buffer of its own an open stream. For the hot path of load tests, where libcurl's cost a call would be the measurement;
// everything else uses HttpClient. No TLS, proxies, redirects or compression.
//
// All sockets wait in one epoll set, which the executor waits for as a whole: a piece of an answer costs a receive and a callback, no
// resumed coroutine. Each piece comes with the time at which the kernel had it, so a thread that is late to look reports no late token.
//
// Thread: the executor's one thread. Destroy it after the last exchange() has ended.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace plimsoll::net {

namespace asio = boost::asio;

using ArrivalTime = std::chrono::steady_clock::time_point;

struct LeanResponse {
    int status = 0;
    ArrivalTime received;  // its last bytes
    std::string content_type;
    double retry_after_s = -1;  // < 0: none
    std::string error_body;     // of an answer that is not 2xx, cut at kMaxErrorBody
};

class LeanHttpClient {
  public:
    // False ends the exchange early, successfully. Several pieces that one receive brought have the time of the last.
    using OnData = std::function<bool(std::string_view piece, ArrivalTime arrived)>;
    // Deadlines are looked at this often; a call ends at most so much late.
    static constexpr std::chrono::milliseconds kDeadlineCheck{20};
    static constexpr std::size_t kMaxIdle = 20'000;
    static constexpr std::size_t kMaxErrorBody = 16u << 10;

    // Tried in this order until one accepts.
    LeanHttpClient(asio::any_io_executor executor, std::vector<asio::ip::tcp::endpoint> endpoints);
    ~LeanHttpClient();

    // Sends `request` (head and body as they go over the wire) and hands the pieces of a 2xx body to `on_data` as they arrive. Any
    // status is a success. A kept connection that the server had closed is replaced once. Errors: connect, timeout, bad_response (reset,
    // cut or malformed), limit. `request` outlives the call. Cancelling the coroutine closes the connection and throws operation_aborted.
    asio::awaitable<Result<LeanResponse>> exchange(std::string_view request, Deadline deadline, OnData on_data);

    std::uint64_t connections_opened() const;

    // Addresses of a host; blocks, so not on an io thread. Errors: connect.
    static Result<std::vector<asio::ip::tcp::endpoint>> resolve(const std::string& host, const std::string& port);

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;  // callbacks hold it weakly
};

}  // namespace plimsoll::net
