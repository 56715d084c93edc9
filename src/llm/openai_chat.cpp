#include "llm/openai_chat.h"

#include <fmt/format.h>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace plimsoll::llm {
namespace {

json::array messages_json(const std::vector<ChatMessage>& messages) {
    json::array out;
    for (const auto& message : messages) out.push_back({{"role", message.role}, {"content", message.content}});
    return out;
}

// Into the first system message rather than before it: chat templates read one.
void add_system_line(std::vector<ChatMessage>& messages, const std::string& line) {
    if (line.empty()) return;
    if (!messages.empty() && messages.front().role == "system")
        messages.front().content = line + "\n" + messages.front().content;
    else
        messages.insert(messages.begin(), {"system", line});
}

template <class T>
void set_if(json::object& body, std::string_view key, const std::optional<T>& requested, const std::optional<T>& configured) {
    if (requested)
        body[key] = *requested;
    else if (configured)
        body[key] = *configured;
}

void estimate_prompt(ChatResult& result, const std::vector<ChatMessage>& messages) {
    std::size_t characters = 0;
    for (const auto& message : messages) characters += message.content.size();
    result.usage.prompt_tokens = estimate_tokens(characters);
    result.usage.total_tokens = result.usage.prompt_tokens + result.usage.completion_tokens;
}

event::ScopedSpan::Options span_options(const event::Context& context) {
    event::ScopedSpan::Options options;
    event::UsageInfo usage;
    usage.num_llm_calls = 1;
    if (context.session) usage.seconds_between_calls = context.session->note_llm_start(context.session->now());
    options.start_usage = usage;
    return options;
}

void record(event::ScopedSpan& span, event::UsageInfo usage, const ChatResult& result) {
    usage.token_usage = result.usage;
    span.set_usage(usage);
    span.set_output(json::value(result.content));
    if (!result.finish_reason.empty()) span.set_metadata("finish_reason", json::value(result.finish_reason));
    if (!result.reasoning.empty()) span.set_metadata("reasoning", json::value(result.reasoning));
    if (result.usage_estimated) span.set_metadata("usage_estimated", true);
}

}  // namespace

json::object make_chat_body(const ChatDefaults& defaults, const ChatRequest& request) {
    json::object body = defaults.extra;
    for (const auto& [key, value] : request.extra) body[key] = value;
    body["model"] = defaults.model;
    body["messages"] = messages_json(request.messages);
    set_if(body, "temperature", request.temperature, defaults.temperature);
    set_if(body, "top_p", request.top_p, defaults.top_p);
    set_if(body, "max_tokens", request.max_tokens, defaults.max_tokens);
    set_if(body, "seed", request.seed, defaults.seed);
    if (!request.stop.empty()) body["stop"] = json::array(request.stop.begin(), request.stop.end());
    body["stream"] = request.stream;
    if (request.stream) body["stream_options"] = {{"include_usage", true}};
    if (request.json_schema) {
        // Not strict: OpenAI then takes keywords such as maxLength; servers with guided decoding enforce the schema either way.
        const json::object schema = {{"name", request.json_schema_name}, {"strict", false}, {"schema", *request.json_schema}};
        body["response_format"] = {{"type", "json_schema"}, {"json_schema", schema}};
    }
    return body;
}

OpenAiChat::OpenAiChat(std::string name, Endpoint endpoint, ChatDefaults defaults)
    : name_(std::move(name)), endpoint_(std::move(endpoint)), defaults_(std::move(defaults)) {}

asio::awaitable<Result<ChatResult>> OpenAiChat::chat(event::Context context, ChatRequest request, OnPiece on_piece) {
    add_system_line(request.messages, defaults_.system_line);
    const auto options = span_options(context);
    event::ScopedSpan span(context.with_deadline(call_deadline(endpoint_, context.deadline)), event::Category::llm, defaults_.model,
                           messages_json(request.messages), options);
    Result<ChatResult> result = fail(ErrorCode::cancelled, "the call was cancelled");
    try {
        result = co_await ask(span, request, on_piece);
    } catch (const boost::system::system_error& error) {
        // Cancelling the coroutine arrives as this exception; the caller's next wait throws it again.
        if (error.code() != asio::error::operation_aborted) throw;
    }
    if (!result) {
        const Error error = without_secrets(endpoint_, result.error().with_context("llms." + name_));
        span.fail(error);
        co_return fail(error);
    }
    record(span, *options.start_usage, *result);
    span.end();
    co_return result;
}

asio::awaitable<Result<ChatResult>> OpenAiChat::ask(event::ScopedSpan& span, const ChatRequest& request, const OnPiece& on_piece) {
    const Deadline deadline = span.context().deadline;
    const json::value body = make_chat_body(defaults_, request);
    Random jitter = make_jitter(span.context());
    for (int attempt = 1;; ++attempt) {
        if (attempt > 1) span.set_metadata("attempts", attempt);
        net::HttpRequest post = make_post(endpoint_, "chat/completions", body, deadline);
        ChatStream stream([&span](std::string_view text) { span.chunk(json::value(text)); }, on_piece);
        Result<ChatResult> result = fail(ErrorCode::internal, "not asked");
        if (request.stream)
            result = co_await ask_streaming(std::move(post), stream);
        else
            result = co_await ask_whole(std::move(post), on_piece);
        if (result) {
            result->attempts = attempt;
            if (result->usage_estimated) estimate_prompt(*result, request.messages);
            co_return result;
        }
        if (stream.deltas() > 0) {
            span.set_output(json::value(stream.partial_answer()));
            co_return result;
        }
        const auto waited = co_await wait_to_retry(endpoint_, result.error(), attempt, deadline, jitter);
        if (!waited) co_return fail(waited.error());
    }
}

asio::awaitable<Result<ChatResult>> OpenAiChat::ask_whole(net::HttpRequest request, const OnPiece& on_piece) {
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    const auto response = co_await client.send(std::move(request));
    if (!response) co_return fail(response.error());
    if (response->status < 200 || response->status > 299) co_return fail(status_error(*response));
    co_return ChatStream::parse_whole(response->body, on_piece);
}

asio::awaitable<Result<ChatResult>> OpenAiChat::ask_streaming(net::HttpRequest request, ChatStream& stream) {
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    Result<void> fed;
    const auto take = [&stream, &fed](std::string_view bytes) {
        // Below is the HTTP library's C code, which an exception of the caller's `on_piece` must not cross.
        try {
            fed = stream.feed(bytes);
        } catch (const std::exception& error) {
            fed = fail(ErrorCode::internal, fmt::format("the receiver of the answer failed: {}", error.what()));
        }
        return fed.has_value();
    };
    const auto response = co_await client.stream(std::move(request), take);
    if (!fed) co_return fail(fed.error());
    if (!response && !stream.complete()) co_return fail(response.error());
    if (response && (response->status < 200 || response->status > 299)) co_return fail(status_error(*response));
    co_return stream.finish();
}

}  // namespace plimsoll::llm
