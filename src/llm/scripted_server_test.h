// Test support: an HTTP server on loopback whose answers are scripted, faults included, and which keeps the requests it got.
//
//   ScriptedServer server(pool, {json_reply("…"), …});   // the last reply repeats
//   pool.run(…);                                         // ask server.base_url()
//   server.requests()
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <string>
#include <vector>

#include "base/json.h"
#include "net/http_server.h"
#include "net/io_pool.h"

namespace plimsoll::llm::testing {

namespace asio = boost::asio;

struct Reply {
    enum class Ending { normal, hang, cut, reset };
    int status = 200;
    std::string content_type = "application/json";
    std::vector<std::string> pieces;
    net::Headers headers = {};
    Ending ending = Ending::normal;
    bool echo_authorization = false;  // the request's Authorization header ends the body
};

inline Reply json_reply(std::string body, int status = 200, net::Headers headers = {}) {
    return {status, "application/json", {std::move(body)}, std::move(headers)};
}

inline Reply stream_reply(std::vector<std::string> pieces, Reply::Ending ending = Reply::Ending::normal) {
    return {200, "text/event-stream", std::move(pieces), {}, ending};
}

inline Reply hanging_reply() { return stream_reply({}, Reply::Ending::hang); }

inline std::string sse(const json::value& value) { return "data: " + to_compact_json(value) + "\n\n"; }
inline std::string sse_delta(const std::string& content) {
    return sse({{"choices", json::array{{{"index", 0}, {"delta", {{"content", content}}}}}}});
}
inline std::string sse_finish() {
    return sse({{"choices", json::array{{{"index", 0}, {"delta", json::object()}, {"finish_reason", "stop"}}}}});
}
inline std::string sse_done() { return "data: [DONE]\n\n"; }

class ScriptedServer {
  public:
    ScriptedServer(net::IoPool& pool, std::vector<Reply> script)
        : executor_(pool.at(0).get_executor()), server_(executor_, {}), never_(executor_), script_(std::move(script)) {
        never_.expires_at(asio::steady_timer::time_point::max());
        server_.route("POST", "/v1/{path}", route());
        server_.route("POST", "/v1/chat/completions", route());
        port_ = server_.listen().value();
        stopped_ = asio::co_spawn(executor_, server_.run(), asio::use_future);
    }

    ~ScriptedServer() {
        asio::post(executor_, [this] {
            never_.cancel();
            server_.stop();
        });
        stopped_.get();
    }

    std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
    // While no request is being served.
    const std::vector<net::ServerRequest>& requests() const { return requests_; }
    json::value body(std::size_t request) const { return parse_json(requests_.at(request).body).value(); }

  private:
    net::Handler route() {
        return [this](net::ServerRequest request, net::ServerResponse& response) { return answer(std::move(request), response); };
    }

    asio::awaitable<void> answer(net::ServerRequest request, net::ServerResponse& response) {
        Reply reply = script_.at(std::min(requests_.size(), script_.size() - 1));
        if (reply.echo_authorization)
            if (const auto* key = net::find_header(request.headers, "authorization")) reply.pieces.push_back(*key);
        requests_.push_back(std::move(request));
        if (reply.ending == Reply::Ending::normal && reply.content_type != "text/event-stream") {
            std::string body;
            for (const auto& piece : reply.pieces) body += piece;
            (void)co_await response.send(reply.status, reply.content_type, std::move(body), reply.headers);
            co_return;
        }
        Result<void> sent = co_await response.start(reply.status, reply.content_type, reply.headers);
        for (std::size_t i = 0; sent && i < reply.pieces.size(); ++i) sent = co_await response.write(reply.pieces[i]);
        if (!sent) co_return;
        if (reply.ending == Reply::Ending::hang) co_await never_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (reply.ending == Reply::Ending::cut || reply.ending == Reply::Ending::reset)
            response.abort(reply.ending == Reply::Ending::reset);
        else
            (void)co_await response.finish();
    }

    asio::any_io_executor executor_;
    net::HttpServer server_;
    asio::steady_timer never_;
    std::vector<Reply> script_;
    std::vector<net::ServerRequest> requests_;
    std::uint16_t port_ = 0;
    std::future<void> stopped_;
};

}  // namespace plimsoll::llm::testing
