#include "llm/openai_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/log.h"
#include "net/io_pool.h"

namespace plimsoll::llm {
namespace {

bool contains_any_case(std::string_view text, std::string_view part) {
    const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
    return !std::ranges::search(text, part, same).empty() || part.empty();
}

// OpenAI: {"error": {"message"}}; others say {"error": "…"}, {"message": "…"} or {"detail": "…"}.
std::string message_of(std::string_view body) {
    const auto value = parse_json(body);
    if (!value) return quote_text(body);
    if (const auto* error = find(*value, "error")) {
        if (const auto message = get_string(*error, "message")) return quote_text(*message);
        if (!error->is_null()) return quote_text(to_text(*error));
    }
    for (const auto* key : {"message", "detail"})
        if (const auto message = get_string(*value, key)) return quote_text(*message);
    return quote_text(body);
}

bool should_retry(const Endpoint& endpoint, const Error& error) {
    if (error.code == ErrorCode::cancelled || error.code == ErrorCode::timeout) return false;
    if (net::is_retryable(endpoint.retry, error)) return true;
    return std::ranges::any_of(endpoint.retry_on_errors, [&](const std::string& part) { return contains_any_case(error.message, part); });
}

}  // namespace

Deadline call_deadline(const Endpoint& endpoint, const Deadline& callers) {
    return endpoint.request_timeout ? callers.earlier(Deadline::after(*endpoint.request_timeout)) : callers;
}

net::HttpRequest make_post(const Endpoint& endpoint, std::string_view path, const json::value& body, Deadline deadline) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = net::join_url(endpoint.base_url(), path);
    request.headers = {{"Content-Type", "application/json"}};
    if (!endpoint.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + endpoint.api_key);
    request.body = to_compact_json(body);
    request.deadline = deadline;
    request.verify_tls = endpoint.verify_tls;
    request.max_response_bytes = kMaxAnswerBytes;
    return request;
}

Error status_error(const net::HttpResponse& response) {
    const std::string said = message_of(response.body);
    std::string message = fmt::format("the server answered {}{}{}", response.status, said.empty() ? "" : ": ", said);
    return {ErrorCode::http_status, std::move(message), response.status, response.retry_after_s};
}

Error embedded_error(const json::value& error) {
    const std::string said = quote_text(get_string(error, "message").value_or(to_text(error)));
    const std::int64_t status = get_int(error, "code").value_or(0);
    if (status >= 400 && status <= 599)
        return {ErrorCode::http_status, fmt::format("the server answered {}: {}", status, said), static_cast<int>(status)};
    return {ErrorCode::bad_response, "the server answered with an error: " + said};
}

std::string quote_text(std::string_view text) {
    std::size_t length = std::min(text.size(), kMaxQuotedBytes);
    // Not in the middle of a UTF-8 sequence.
    while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    std::string out(text.substr(0, length));
    // Error texts end up in JSON files. The JSON parser is what checks UTF-8; binary junk keeps its ASCII only.
    const bool valid_utf8 = parse_json(to_compact_json(json::value(out))).has_value();
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isspace(byte))
            c = ' ';
        else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !valid_utf8))
            c = '?';
    }
    return out;
}

Error without_secrets(const Endpoint& endpoint, Error error) {
    if (endpoint.api_key.empty()) return error;
    for (std::size_t at = 0; (at = error.message.find(endpoint.api_key, at)) != std::string::npos; at += kRedacted.size())
        error.message.replace(at, endpoint.api_key.size(), kRedacted);
    return error;
}

asio::awaitable<Result<void>> wait_to_retry(const Endpoint& endpoint, Error error, int attempt, Deadline deadline, Random& random) {
    if (!should_retry(endpoint, error)) co_return fail(std::move(error));
    const auto delay = net::next_delay(endpoint.retry, error, attempt, random);
    if (!delay) co_return fail(std::move(error));
    if (deadline.left() <= *delay) {
        error.message = fmt::format("no time left for another attempt after {}: {}", attempt, error.message);
        error.code = ErrorCode::timeout;
        co_return fail(std::move(error));
    }
    co_await net::sleep_for(*delay);
    co_return Result<void>();
}

Random make_jitter(const event::Context& context) { return context.session ? Random(context.session->random()()) : Random::from_entropy(); }

}  // namespace plimsoll::llm
