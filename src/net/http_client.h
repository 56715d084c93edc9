// Outgoing HTTP for everything: libcurl's multi interface driven by the io thread's asio loop. Proxies, TLS, redirects,
// HTTP/2 and connection reuse come from libcurl. Environment variables HTTP(S)_PROXY and NO_PROXY are honoured (loopback
// addresses are never asked for through a proxy), and SSL_CERT_FILE names other certificate authorities.
//
// One client per io_context, made on first use: `HttpClient::of(co_await asio::this_coro::executor)`. It lives as long as
// the io_context. Thread: its io thread; the context must be run by one thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace plimsoll::net {

namespace asio = boost::asio;

using Headers = std::vector<std::pair<std::string, std::string>>;

// First header of that name, any case; nullptr when there is none.
const std::string* find_header(const Headers& headers, std::string_view name);

struct HttpRequest {
    std::string method = "GET";
    std::string url;  // http:// or https://
    Headers headers;
    std::string body;
    Deadline deadline;  // whole exchange, body included
    std::chrono::milliseconds connect_timeout{5000};
    bool verify_tls = true;
    std::size_t max_response_bytes = 256u << 20;  // beyond it (decompressed) the exchange fails with `limit`
};

struct HttpResponse {
    int status = 0;
    Headers headers;  // of the last answer when there were redirects
    std::string body;
    double retry_after_s = -1;  // of a Retry-After header in seconds or as a date (0 for a past one); < 0 = none
};

class HttpClient {
  public:
    // Answers with more header bytes than this fail with `limit`.
    static constexpr std::size_t kMaxHeaderBytes = 256u << 10;
    static constexpr long kMaxRedirects = 10;

    static HttpClient& of(const asio::any_io_executor& executor);
    ~HttpClient();

    // Any status is a success here; callers judge it. Errors: connect (nobody answers, name not found, TLS),
    // timeout (deadline or connect_timeout), bad_response (reset, cut or malformed answer), limit, invalid_argument (bad URL,
    // method or header). Messages name host and port, never credentials.
    // Cancelling the coroutine ends the transfer and throws operation_aborted.
    asio::awaitable<Result<HttpResponse>> send(HttpRequest request);

    // As send(), but a 2xx body is handed to `on_data` piece by piece as it arrives instead of being kept;
    // other bodies are kept for the error text. `on_data` returning false ends the transfer early, successfully;
    // what it throws comes out of stream().
    // A body cut short (fewer bytes than announced, chunked body without its end) is bad_response.
    asio::awaitable<Result<HttpResponse>> stream(HttpRequest request, std::function<bool(std::string_view)> on_data);

    std::size_t open_transfers() const;

  private:
    friend class HttpClientService;
    explicit HttpClient(asio::any_io_executor executor);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Joins a base URL and a path with exactly one slash, keeping the base's own path: ("http://h/v1", "chat") -> "http://h/v1/chat".
std::string join_url(std::string_view base, std::string_view path);

}  // namespace plimsoll::net
