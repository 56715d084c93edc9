// What chat and embedding calls to an OpenAI-compatible server share: the request, the server's error in words, and
// whether and when to ask again. The API key goes into the request's header and nowhere else.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "event/session.h"
#include "net/http_client.h"
#include "net/retry.h"

namespace plimsoll::llm {

namespace asio = boost::asio;

struct Endpoint {
    std::function<std::string()> base_url;  // asked before every attempt: a local server moves when it restarts
    std::string api_key;                    // empty = no Authorization header
    bool verify_tls = true;
    net::RetryPolicy retry;
    std::vector<std::string> retry_on_errors;  // also retry when the error's text contains one of these, any case
    std::optional<std::chrono::milliseconds> request_timeout;
};

inline constexpr std::size_t kMaxAnswerBytes = 64u << 20;  // of one response, before decoding
inline constexpr std::size_t kMaxQuotedBytes = 300;        // of a server's text in an error message

// The earlier of the caller's deadline and now + the endpoint's request_timeout.
Deadline call_deadline(const Endpoint& endpoint, const Deadline& callers);

// POST {base_url}/{path} with a JSON body.
net::HttpRequest make_post(const Endpoint& endpoint, std::string_view path, const json::value& body, Deadline deadline);

// http_status, with the status, Retry-After and the server's own words.
Error status_error(const net::HttpResponse& response);

// The error inside an {"error": …} body or stream line: http_status when it carries an HTTP status, else bad_response.
Error embedded_error(const json::value& error);

// The beginning of a server's text, fit for an error message: valid UTF-8 on one line.
std::string quote_text(std::string_view text);

// The error with every occurrence of the API key masked: servers echo it.
Error without_secrets(const Endpoint& endpoint, Error error);

// Decides about attempt `attempt` + 1 (counted from 1) after `error` and waits for it. A value: ask again. Otherwise what
// to give up with: `error` itself, or `timeout` naming it when the wait would pass the deadline.
asio::awaitable<Result<void>> wait_to_retry(const Endpoint& endpoint, Error error, int attempt, Deadline deadline, Random& random);

// For the jitter of one call's waits: seeded by its session, so that a seed repeats a run, or by chance outside any session.
Random make_jitter(const event::Context& context);

}  // namespace plimsoll::llm
