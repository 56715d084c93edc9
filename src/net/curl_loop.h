// libcurl's multi interface on an asio loop: curl says which sockets and which timeout it waits for, asio does the waiting.
//
// Every handle goes through prepare(), then add(); `on_done` reports each one that ends by itself, after it has been taken
// out. remove() ends one early. close() ends everything and must come before the loop's io_context goes.
// Thread: the io thread of the executor. Not to be entered from a curl callback.
#pragma once

#include <curl/curl.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "net/http_client.h"

namespace plimsoll::net {

class CurlLoop {
  public:
    using OnDone = std::function<void(CURL*, CURLcode)>;
    // Idle connections kept for reuse; beyond it curl closes the oldest.
    static constexpr long kMaxConnections = 10'000;

    CurlLoop(asio::any_io_executor executor, OnDone on_done);
    ~CurlLoop();
    CurlLoop(const CurlLoop&) = delete;
    CurlLoop& operator=(const CurlLoop&) = delete;

    // Has the handle open and close its sockets through this loop.
    void prepare(CURL* easy);
    CURLMcode add(CURL* easy);
    void remove(CURL* easy);
    // All handles must have been removed.
    void close();

  private:
    struct Socket;

    static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
    static int close_socket(void* self, curl_socket_t fd);
    static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* assigned);
    static int on_timer(CURLM* multi, long timeout_ms, void* self);

    void watch(curl_socket_t fd, int what);
    void wait(const std::shared_ptr<Socket>& socket, int direction);
    void set_timer(long timeout_ms);
    void act(curl_socket_t fd, int events);

    asio::any_io_executor executor_;
    OnDone on_done_;
    CURLM* multi_;
    std::optional<asio::steady_timer> timer_;  // gone after close(): asio's timer service may die before the loop
    bool timer_posted_ = false;
    std::unordered_map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
    // Cleared by close(): posted handlers may run after it, or even after the loop itself is gone.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace plimsoll::net
