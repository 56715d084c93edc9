#include "serve/workflow_server.h"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/log.h"
#include "net/sse.h"
#include "serve/step_stream.h"

namespace plimsoll::serve {
namespace {

std::string error_body(const Error& error) {
    return to_compact_json({{"code", "workflow_error"}, {"message", error.message}, {"details", to_string(error.code)}});
}

std::string value_body(const json::value& output) {
    // An object that is already NAT's envelope stays as it is.
    if (const auto* object = output.if_object(); object && object->contains("value")) return to_compact_json(output);
    return to_compact_json({{"value", output.is_string() ? output : json::value(to_compact_json(output))}});
}

// What NAT answers to a body without the workflow's parameter.
std::string missing_field_body(std::string_view field) {
    return to_compact_json({{"detail", {{{"type", "missing"}, {"loc", {"body", field}}, {"msg", "Field required"}}}}});
}

event::SessionInfo session_info(const net::ServerRequest& request) {
    event::SessionInfo info;
    for (const auto& [name, value] : request.headers)
        if (!is_secret_name(name)) info.headers.emplace_back(name, value);
    if (const auto* id = net::find_header(request.headers, "conversation-id")) info.conversation_id = *id;
    // W3C trace context: 00-<32 hex>-<16 hex>-<flags>
    if (const auto* parent = net::find_header(request.headers, "traceparent"); parent && parent->size() == 55)
        info.trace_id = parent->substr(3, 32);
    return info;
}

// Counts the sessions in flight for as long as it lives.
class Admission {
  public:
    explicit Admission(int& in_flight) : in_flight_(in_flight) { ++in_flight_; }
    ~Admission() { --in_flight_; }
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;

  private:
    int& in_flight_;
};

class UsageSink : public event::StepSink {
  public:
    void on_step(const event::Session&, const event::Step& step) override {
        if (step.payload.usage_info && step.payload.event_type == event::EventType{event::Category::llm, event::Phase::end})
            total += step.payload.usage_info->token_usage;
    }
    void on_session_end(const event::Session&, const Error*) override {}
    event::TokenUsage total;
};

}  // namespace

struct WorkflowServer::Impl {
    net::HttpServer http;
    functions::Function& workflow;
    WorkflowServerOptions options;
    WallClock clock = system_clock();
    Random random = Random::from_entropy();
    int in_flight = 0;

    Impl(asio::any_io_executor executor, functions::Function& function, WorkflowServerOptions given)
        : http(std::move(executor), given.http), workflow(function), options(std::move(given)) {
        http.route("GET", "/health", [](net::ServerRequest, net::ServerResponse& response) { return health(response); });
        for (const char* path : {"/generate", "/v1/workflow"})
            http.route("POST", path, [this](net::ServerRequest request, net::ServerResponse& response) {
                return generate(std::move(request), response);
            });
        for (const char* path : {"/generate/full", "/v1/workflow/full"})
            http.route("POST", path, [this](net::ServerRequest request, net::ServerResponse& response) {
                return generate_full(std::move(request), response);
            });
        http.route("POST", "/v1/chat/completions", [this](net::ServerRequest request, net::ServerResponse& response) {
            return chat_completions(std::move(request), response);
        });
    }

    static asio::awaitable<void> health(net::ServerResponse& response) {
        (void)co_await response.send(200, "application/json", R"({"status":"healthy"})");
    }

    std::shared_ptr<event::Session> make_session(const net::ServerRequest& request, event::StepSink& extra) {
        std::vector<event::StepSink*> sinks = options.sinks;
        sinks.push_back(&extra);
        return event::Session::make(session_info(request), std::move(sinks), clock, random(), false);
    }

    asio::awaitable<Result<json::value>> run_workflow(std::shared_ptr<event::Session> session, json::value input) {
        return functions::run_session(std::move(session), options.workflow_type, workflow, std::move(input),
                                      Deadline::after(options.session_timeout));
    }

    // The request's input, or what was answered instead of one.
    asio::awaitable<std::optional<json::value>> read_input(const net::ServerRequest& request, net::ServerResponse& response,
                                                           std::string_view field) {
        if (in_flight >= options.max_sessions) {
            (void)co_await response.send(503, "application/json", R"({"detail":"all sessions are taken"})", {{"Retry-After", "1"}});
            co_return std::nullopt;
        }
        const auto body = parse_json(request.body);
        const json::value* input = body ? find(*body, field) : nullptr;
        if (!input) {
            (void)co_await response.send(422, "application/json", missing_field_body(field));
            co_return std::nullopt;
        }
        // A chat request goes on whole, a plain one as its message.
        if (field == "messages") co_return *body;
        co_return *input;
    }

    asio::awaitable<void> generate(net::ServerRequest request, net::ServerResponse& response) {
        auto input = co_await read_input(request, response, "input_message");
        if (!input) co_return;
        const Admission admission(in_flight);
        UsageSink usage;
        auto output = co_await run_workflow(make_session(request, usage), std::move(*input));
        if (output)
            (void)co_await response.send(200, "application/json", value_body(*output));
        else
            (void)co_await response.send(422, "application/json", error_body(output.error()));
    }

    asio::awaitable<void> chat_completions(net::ServerRequest request, net::ServerResponse& response) {
        auto input = co_await read_input(request, response, "messages");
        if (!input) co_return;
        const Admission admission(in_flight);
        UsageSink usage;
        const auto session = make_session(request, usage);
        auto output = co_await run_workflow(session, std::move(*input));
        if (!output) {
            (void)co_await response.send(422, "application/json", error_body(output.error()));
            co_return;
        }
        const json::value body = {
            {"id", session->info().run_id},
            {"object", "chat.completion"},
            {"created", static_cast<std::int64_t>(clock())},
            {"model", options.workflow_type},
            {"choices", {{{"index", 0}, {"finish_reason", "stop"}, {"message", {{"role", "assistant"}, {"content", to_text(*output)}}}}}},
            {"usage",
             {{"prompt_tokens", usage.total.prompt_tokens},
              {"completion_tokens", usage.total.completion_tokens},
              {"total_tokens", usage.total.total_tokens}}}};
        (void)co_await response.send(200, "application/json", to_compact_json(body));
    }

    asio::awaitable<void> run_into(std::shared_ptr<event::Session> session, json::value input, Result<json::value>& output) {
        output = co_await run_workflow(std::move(session), std::move(input));
    }

    asio::awaitable<void> generate_full(net::ServerRequest request, net::ServerResponse& response) {
        auto input = co_await read_input(request, response, "input_message");
        if (!input) co_return;
        const Admission admission(in_flight);
        const auto executor = co_await asio::this_coro::executor;
        const auto filter = request.query.find("filter_steps");
        StepStream stream(executor, parse_step_filter(filter == request.query.end() ? "" : filter->second));
        Result<json::value> output = fail(ErrorCode::cancelled, "the session was left");
        asio::cancellation_signal cancel;
        asio::co_spawn(executor, run_into(make_session(request, stream), std::move(*input), output),
                       asio::bind_cancellation_slot(cancel.slot(), [&stream, &output](std::exception_ptr error) {
                           if (error) output = fail(ErrorCode::cancelled, "the session was cancelled");
                           stream.close();
                       }));
        auto sent = co_await response.start(200, "text/event-stream; charset=utf-8");
        // Drained to the end even when the client has gone: that is what joins the session.
        while (auto record = co_await stream.next()) {
            if (sent) sent = co_await response.write(std::move(*record));
            if (!sent || response.client_gone()) cancel.emit(asio::cancellation_type::terminal);
        }
        if (!sent) co_return;
        if (output)
            sent = co_await response.write(net::sse_record("data", value_body(*output)));
        else
            sent = co_await response.write(error_body(output.error()) + "\n");
        if (sent) (void)co_await response.finish();
    }
};

WorkflowServer::WorkflowServer(asio::any_io_executor executor, functions::Function& workflow, WorkflowServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(executor), workflow, std::move(options))) {}

WorkflowServer::~WorkflowServer() = default;

Result<std::uint16_t> WorkflowServer::listen() { return impl_->http.listen(); }

asio::awaitable<void> WorkflowServer::run() { return impl_->http.run(); }

void WorkflowServer::stop() { impl_->http.stop(); }

}  // namespace plimsoll::serve
