#include "llm/sim_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <functional>

#include "base/clock.h"
#include "llm/sim_answer.h"
#include "llm/sim_embedding.h"
#include "llm/sim_exchange.h"
#include "llm/sim_metrics.h"
#include "llm/sim_request.h"
#include "llm/sim_rerank.h"
#include "llm/sim_scheduler.h"
#include "llm/sim_wire.h"
#include "net/http_server.h"

namespace plimsoll::llm {
namespace {

using net::ServerRequest;
using net::ServerResponse;

constexpr std::size_t kMaxBodyBytes = 8u << 20;
constexpr std::size_t kMaxConnections = 20'000;
constexpr int kIdDigits = 24;

asio::awaitable<void> refuse(ServerResponse& response) {
    const auto sent = co_await response.send(401, "application/json", sim_error_body(401, "wrong API key"));
    static_cast<void>(sent);
}

asio::awaitable<void> send_text(std::string type, std::string text, ServerResponse& response) {
    const auto sent = co_await response.send(200, std::move(type), std::move(text));
    static_cast<void>(sent);  // a client that has gone misses nothing
}

// 0 = the request names no session.
std::uint64_t session_of(const net::Headers& headers, const std::string& named) {
    const auto* header = net::find_header(headers, "x-session-id");
    const std::string& session = header ? *header : named;
    return session.empty() ? 0 : std::max<std::uint64_t>(1, std::hash<std::string>()(session));
}

int count_tokens(const std::vector<std::string>& texts) {
    std::size_t tokens = 0;
    for (const auto& text : texts) tokens += split_sim_tokens(text).size();
    return static_cast<int>(tokens);
}

}  // namespace

struct SimServer::Impl {
    SimOptions options;
    net::HttpServer server;
    SimStats stats;
    std::unique_ptr<SimScheduler> scheduler;  // made by listen(), which checks the options
    asio::any_io_executor executor;
    WallClock clock = system_clock();
    std::vector<SimRule> rules;
    std::uint16_t port = 0;

    Impl(const asio::any_io_executor& io, SimOptions sim_options)
        : options(std::move(sim_options)),
          server(io, {.host = options.host,
                      .port = options.port,
                      .max_body_bytes = kMaxBodyBytes,
                      .max_connections = kMaxConnections,
                      .server_name = "plimsoll-sim"}),
          executor(io) {
        add_model_routes();
        add_status_routes();
    }

    void add_model_routes();
    void add_status_routes();
    void add_text(std::string path, std::string type, std::function<std::string()> make_text);
    asio::awaitable<void> generate(SimRoute route, ServerRequest request, ServerResponse& response);
    asio::awaitable<void> embed(ServerRequest request, ServerResponse& response);
    asio::awaitable<void> rerank(SimRerankApi api, ServerRequest request, ServerResponse& response);
    SimStats snapshot() const;
    bool is_allowed(const net::Headers& headers) const;
    std::string model_or(const std::string& asked) const { return asked.empty() ? options.model : asked; }
};

void SimServer::Impl::add_model_routes() {
    server.route("POST", "/v1/chat/completions", [this](ServerRequest request, ServerResponse& response) {
        return is_allowed(request.headers) ? generate(SimRoute::chat, std::move(request), response) : refuse(response);
    });
    server.route("POST", "/v1/completions", [this](ServerRequest request, ServerResponse& response) {
        return is_allowed(request.headers) ? generate(SimRoute::completion, std::move(request), response) : refuse(response);
    });
    server.route("POST", "/v1/embeddings", [this](ServerRequest request, ServerResponse& response) {
        return is_allowed(request.headers) ? embed(std::move(request), response) : refuse(response);
    });
    const std::pair<const char*, SimRerankApi> rerankers[] = {{"/v1/rerank", SimRerankApi::rerank}, {"/v1/ranking", SimRerankApi::ranking}};
    for (const auto& [path, api] : rerankers)
        server.route("POST", path, [this, api](ServerRequest request, ServerResponse& response) {
            return is_allowed(request.headers) ? rerank(api, std::move(request), response) : refuse(response);
        });
}

void SimServer::Impl::add_status_routes() {
    add_text("/health", "application/json", [] { return std::string(R"({"status":"ok"})"); });
    add_text("/metrics", "text/plain; version=0.0.4", [this] { return sim_metrics(snapshot(), options); });
    add_text("/v1/metrics", "text/plain; version=0.0.4", [this] { return sim_nim_metrics(snapshot(), options); });
    add_text("/props", "application/json", [this] {
        const int slots = options.engine ? options.engine->limits.max_sequences : options.max_concurrency;
        const int context = options.engine ? options.engine->limits.max_context : 0;
        return json::serialize(json::object{{"total_slots", slots}, {"default_generation_settings", {{"n_ctx", context}}}});
    });
    add_text("/sim/stats", "application/json", [this] { return json::serialize(snapshot().to_json()); });
    add_text("/v1/models", "application/json", [this] {
        const json::object model = {{"id", options.model}, {"object", "model"}, {"created", 0}, {"owned_by", "plimsoll"}};
        return json::serialize(json::object{{"object", "list"}, {"data", json::array{model}}});
    });
}

void SimServer::Impl::add_text(std::string path, std::string type, std::function<std::string()> make_text) {
    server.route("GET", std::move(path),
                 [type = std::move(type), make_text = std::move(make_text)](ServerRequest, ServerResponse& response) {
                     return send_text(type, make_text(), response);
                 });
}

asio::awaitable<void> SimServer::Impl::generate(SimRoute route, ServerRequest http_request, ServerResponse& response) {
    SimExchange exchange(options, stats, *scheduler, response);
    auto request = parse_sim_request(route, http_request.body);
    if (!request) co_return co_await exchange.reject(request.error());
    const SimRule* rule = find_rule(rules, *request);
    auto chosen = exchange.choose_fault(http_request.headers, rule);
    if (!chosen) co_return co_await exchange.reject(chosen.error());
    auto answer = make_sim_answer(*request, rule, options.tokens);
    if (!answer) co_return co_await exchange.reject(answer.error());
    const bool over = co_await exchange.fails_at_once();
    if (over) co_return;
    const std::string_view prefix = route == SimRoute::chat ? "chatcmpl-" : "cmpl-";
    const SimWriter writer(route, fmt::format("{}{}", prefix, exchange.random().hex(kIdDigits)), static_cast<std::int64_t>(clock()),
                           model_or(request->model), answer->tool);
    const auto session = session_of(http_request.headers, request->session);
    if (request->stream) {
        co_await exchange.stream(writer, *answer, request->include_usage, session);
    } else {
        co_await exchange.send(*answer, writer.body(*answer), session);
    }
}

asio::awaitable<void> SimServer::Impl::embed(ServerRequest http_request, ServerResponse& response) {
    SimExchange exchange(options, stats, *scheduler, response);
    auto request = parse_sim_embedding_request(http_request.body, options.embedding_dim);
    if (!request) co_return co_await exchange.reject(request.error());
    auto chosen = exchange.choose_fault(http_request.headers, nullptr);
    if (!chosen) co_return co_await exchange.reject(chosen.error());
    const bool over = co_await exchange.fails_at_once();
    if (over) co_return;
    std::vector<std::vector<float>> vectors;
    for (const auto& text : request->texts) vectors.push_back(compute_sim_embedding(text, request->dimensions));
    const int tokens = count_tokens(request->texts);
    auto body = sim_embedding_body(model_or(request->model), vectors, tokens, request->base64);
    co_await exchange.send(tokens, std::move(body), session_of(http_request.headers, ""));
}

asio::awaitable<void> SimServer::Impl::rerank(SimRerankApi api, ServerRequest http_request, ServerResponse& response) {
    SimExchange exchange(options, stats, *scheduler, response);
    auto request = parse_sim_rerank_request(api, http_request.body);
    if (!request) co_return co_await exchange.reject(request.error());
    auto chosen = exchange.choose_fault(http_request.headers, nullptr);
    if (!chosen) co_return co_await exchange.reject(chosen.error());
    const bool over = co_await exchange.fails_at_once();
    if (over) co_return;
    const int tokens = count_tokens(request->passages) + count_tokens({request->query});
    auto body = sim_rerank_body(*request, "rerank-" + exchange.random().hex(kIdDigits), model_or(request->model), tokens);
    co_await exchange.send(tokens, std::move(body), session_of(http_request.headers, ""));
}

bool SimServer::Impl::is_allowed(const net::Headers& headers) const {
    const auto* key = net::find_header(headers, "authorization");
    return options.api_key.empty() || (key && *key == "Bearer " + options.api_key);
}

SimStats SimServer::Impl::snapshot() const {
    auto now = stats;
    now.replicas = scheduler->load();
    for (const SimLoad& load : now.replicas) {
        now.running += load.running;
        now.waiting += load.waiting;
    }
    return now;
}

SimServer::SimServer(asio::any_io_executor executor, SimOptions options) : impl_(std::make_unique<Impl>(executor, std::move(options))) {}
SimServer::~SimServer() = default;

Result<std::uint16_t> SimServer::listen() {
    PLIMSOLL_TRY(check_sim_options(impl_->options));
    if (!impl_->options.script.empty()) {
        auto rules = load_sim_script(impl_->options.script);
        if (!rules) return fail(rules.error());
        impl_->rules = std::move(*rules);
    }
    impl_->scheduler = std::make_unique<SimScheduler>(impl_->executor, make_sim_timeline(impl_->options), impl_->stats);
    const auto port = impl_->server.listen();
    if (!port) return fail(port.error());
    impl_->port = *port;
    return *port;
}

// The server's end ends the scheduler, after the last handler has.
asio::awaitable<void> SimServer::run() {
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (impl_->server.run() || impl_->scheduler->run());
}
void SimServer::stop() { impl_->server.stop(); }

std::uint16_t SimServer::port() const { return impl_->port; }

std::string SimServer::base_url() const {
    const bool is_ipv6 = impl_->options.host.contains(':');
    return fmt::format(fmt::runtime(is_ipv6 ? "http://[{}]:{}/v1" : "http://{}:{}/v1"), impl_->options.host, impl_->port);
}

SimStats SimServer::stats() const { return impl_->snapshot(); }

}  // namespace plimsoll::llm
