// A small HTTP/1.1 server on Boost.Beast coroutines: routes, streaming answers, limits, and ways to misbehave on purpose
// for the simulated model server. It runs on the io_context it is given; handlers run there too.
//
// An open stream costs its handler's frame and a few kilobytes: no buffer is kept while a handler runs.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http_client.h"

namespace plimsoll::net {

struct ServerRequest {
    std::string method;
    std::string path;                           // without the query, as sent (not decoded)
    std::map<std::string, std::string> query;   // decoded
    std::map<std::string, std::string> params;  // of the route's {name} parts, decoded
    Headers headers;
    std::string body;
};

// The answer to one request. Call send() once, or start() then write()s then finish(). A handler that returns without an
// answer gives 500; one that returns without finish() cuts its stream. Content-Length, Date and the framing are the server's
// business, a line break in a header value becomes a space, and the answer to HEAD loses its body.
// Errors: connect when the client has gone; a handler then returns. A closed connection is noticed by the second write at
// the latest, at once by client_gone().
class ServerResponse {
  public:
    virtual ~ServerResponse() = default;
    virtual asio::awaitable<Result<void>> send(int status, std::string content_type, std::string body, Headers extra = {}) = 0;
    virtual asio::awaitable<Result<void>> start(int status, std::string content_type, Headers extra = {}) = 0;
    virtual asio::awaitable<Result<void>> write(std::string piece) = 0;  // flushed at once, chunked encoding
    virtual asio::awaitable<Result<void>> finish() = 0;
    // True once the client has closed the connection or its sending half (noticed while the handler runs, without reading
    // more). One system call.
    virtual bool client_gone() const = 0;
    // Waits until that is so.
    virtual asio::awaitable<void> wait_gone() = 0;
    // Faults: close the socket now, with a RST (`reset`) or a plain FIN in mid-answer.
    virtual void abort(bool reset) = 0;
};

using Handler = std::function<asio::awaitable<void>(ServerRequest, ServerResponse&)>;

struct ServerOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;  // 0 = any free one
    std::size_t max_body_bytes = 64u << 20;
    std::size_t max_connections = 20'000;  // further ones are closed at accept and counted
    // Closes a connection that waits for a request, takes this long to send a header or the next piece of a body, or does
    // not read what it is sent. A handler may take as long as it likes. Zero or less: never.
    std::chrono::seconds idle_timeout{75};
    std::string server_name = "plimsoll";
};

// Usage: route()s, listen(), then spawn run(); stop() closes the listener and every connection, cancels the handlers
// (operation_aborted out of what they wait for) and run() returns when the last handler has ended; cancelling run() does the
// same. Destroy the server after run() has returned. An exception out of a handler is answered with 500 and logged. Unknown
// paths: 404 {"detail":"Not Found"}; known path, other verb: 405 {"detail":"Method Not Allowed"}; 400, 413 and 431 for
// malformed requests, bodies above max_body_bytes and headers above kMaxHeaderBytes.
class HttpServer {
  public:
    static constexpr std::uint32_t kMaxHeaderBytes = 64u << 10;

    HttpServer(asio::any_io_executor executor, ServerOptions options);
    ~HttpServer();

    // Pattern "/v1/jobs/{id}"; an exact segment wins over a parameter. HEAD goes to GET's handler. Before run().
    void route(std::string method, std::string pattern, Handler handler);

    // Binds. Errors: in_use, invalid_argument (bad host), io.
    Result<std::uint16_t> listen();
    asio::awaitable<void> run();
    void stop();  // from any thread; at once on the server's own

    // From the server's own io thread.
    std::size_t open_connections() const;
    std::size_t refused_connections() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace plimsoll::net
