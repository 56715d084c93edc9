#include "llm/sim_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "llm/sim_answer.h"
#include "llm/sim_embedding.h"
#include "llm/sim_exchange.h"
#include "llm/sim_request.h"
#include "llm/sim_slots.h"
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

}  // namespace

struct SimServer::Impl {
    SimOptions options;
    net::HttpServer server;
    SimSlots slots;
    WallClock clock = system_clock();
    std::vector<SimRule> rules;
    SimStats stats;
    std::uint16_t port = 0;

    Impl(const asio::any_io_executor& executor, SimOptions sim_options)
        : options(std::move(sim_options)),
          server(executor, {.host = options.host,
                            .port = options.port,
                            .max_body_bytes = kMaxBodyBytes,
                            .max_connections = kMaxConnections,
                            .server_name = "plimsoll-sim"}),
          slots(executor, static_cast<std::size_t>(std::max(0, options.max_concurrency))) {
        add_model_routes();
        add_status_routes();
    }

    void add_model_routes();
    void add_status_routes();
    void add_text(std::string path, std::string type, std::function<std::string()> make_text);
    asio::awaitable<void> generate(SimRoute route, ServerRequest request, ServerResponse& response);
    asio::awaitable<void> embed(ServerRequest request, ServerResponse& response);
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
}

void SimServer::Impl::add_status_routes() {
    add_text("/health", "application/json", [] { return std::string(R"({"status":"ok"})"); });
    add_text("/metrics", "text/plain; version=0.0.4", [this] { return snapshot().to_prometheus(options.model); });
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
    SimExchange exchange(options, stats, slots, response);
    auto request = parse_sim_request(route, http_request.body);
    if (!request) co_return co_await exchange.reject(request.error());
    const SimRule* rule = find_rule(rules, *request);
    auto chosen = exchange.choose_fault(http_request.headers, rule);
    if (!chosen) co_return co_await exchange.reject(chosen.error());
    auto answer = make_sim_answer(*request, rule, options.tokens);
    if (!answer) co_return co_await exchange.reject(answer.error());
    const bool over = co_await exchange.fails_at_once();
    if (over) co_return;
    const bool entered = co_await exchange.enter();
    if (!entered) co_return;
    const std::string_view prefix = route == SimRoute::chat ? "chatcmpl-" : "cmpl-";
    const SimWriter writer(route, fmt::format("{}{}", prefix, exchange.random().hex(kIdDigits)), static_cast<std::int64_t>(clock()),
                           model_or(request->model));
    if (request->stream) {
        co_await exchange.stream(writer, *answer, request->include_usage);
    } else {
        co_await exchange.send(*answer, writer.body(*answer));
    }
}

asio::awaitable<void> SimServer::Impl::embed(ServerRequest http_request, ServerResponse& response) {
    SimExchange exchange(options, stats, slots, response);
    auto request = parse_sim_embedding_request(http_request.body, options.embedding_dim);
    if (!request) co_return co_await exchange.reject(request.error());
    auto chosen = exchange.choose_fault(http_request.headers, nullptr);
    if (!chosen) co_return co_await exchange.reject(chosen.error());
    const bool over = co_await exchange.fails_at_once();
    if (over) co_return;
    const bool entered = co_await exchange.enter();
    if (!entered) co_return;
    std::vector<std::vector<float>> vectors;
    std::size_t tokens = 0;
    for (const auto& text : request->texts) {
        vectors.push_back(compute_sim_embedding(text, request->dimensions));
        tokens += split_sim_tokens(text).size();
    }
    stats.prompt_tokens += tokens;
    co_await exchange.send(sim_embedding_body(model_or(request->model), vectors, static_cast<int>(tokens), request->base64));
}

bool SimServer::Impl::is_allowed(const net::Headers& headers) const {
    const auto* key = net::find_header(headers, "authorization");
    return options.api_key.empty() || (key && *key == "Bearer " + options.api_key);
}

SimStats SimServer::Impl::snapshot() const {
    auto now = stats;
    now.running = slots.running();
    now.waiting = slots.waiting();
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
    const auto port = impl_->server.listen();
    if (!port) return fail(port.error());
    impl_->port = *port;
    return *port;
}

asio::awaitable<void> SimServer::run() { return impl_->server.run(); }
void SimServer::stop() { impl_->server.stop(); }

std::uint16_t SimServer::port() const { return impl_->port; }

std::string SimServer::base_url() const {
    const bool is_ipv6 = impl_->options.host.contains(':');
    return fmt::format(fmt::runtime(is_ipv6 ? "http://[{}]:{}/v1" : "http://{}:{}/v1"), impl_->options.host, impl_->port);
}

SimStats SimServer::stats() const { return impl_->snapshot(); }

}  // namespace plimsoll::llm
