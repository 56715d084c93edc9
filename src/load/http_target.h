// HTTP servers as targets: OpenAI-compatible ones, NAT's, and any other that a small YAML file describes:
//
//   method: POST                        # the default
//   path: /generate_query/stream        # below --url; or `url:` with everything
//   headers: {Authorization: "Bearer ${env:API_TOKEN}"}
//   body: {topic: "${input}", num_queries: 3}      # a mapping is sent as JSON, a text as it is
//   answer:
//     sse: true                         # false: the body is one JSON answer
//     token: [{path: intermediate_step}]            # events that carry a piece of the answer; see EventRule
//     end:   [{event: job.status, path: data.status, equals: SUCCESS}]
//     error: [{field: "{", path: message}]
//
// ${input} is what the user asks, escaped for JSON; ${session} the session's number; ${env:NAME} an environment variable.
#pragma once

#include <string>
#include <string_view>

#include "load/target.h"
#include "net/http_client.h"

namespace plimsoll::load {

enum class HttpKind : std::uint8_t { chat, completions, described };

struct HttpTargetSpec {
    HttpKind kind = HttpKind::chat;
    std::string url;  // of the request itself
    std::string method = "POST";
    net::Headers headers;
    bool stream = true;           // chat and completions
    std::string model = "model";  // the same
    bool any_model = true;        // the same: a call may ask for another one
    std::int64_t max_tokens = 0;  // the same; 0: left to the server
    bool ignore_eos = true;       // the same: how exact lengths are asked for; off for servers that do not know it
    std::string body;             // of a described one, with its placeholders
    AnswerRules rules;            // of a described one
    bool verify_tls = true;
};

// Base URL to spec: <url>/chat/completions, <url>/completions, <url>/generate/full.
HttpTargetSpec make_openai_spec(const std::string& base_url, bool chat);
HttpTargetSpec make_nat_spec(const std::string& base_url);

// Reads a description. Environment variables come from `getenv` (a secret stays out of the file). Errors: config, every problem of the
// file with its place in one message.
using GetEnv = std::function<const char*(const std::string&)>;
Result<HttpTargetSpec> parse_target(std::string_view yaml, const std::string& file_name, const std::string& base_url, const GetEnv& getenv);

// True for localhost, 127.0.0.0/8 and ::1: what may be loaded without a word. Errors: invalid_argument (no http or https URL, or one
// with credentials in it).
Result<bool> is_loopback(const std::string& url);

// "POST http://localhost:8000/v1/chat/completions": without the query, which may hold a key.
std::string shown_target(const HttpTargetSpec& spec);

// The body of one request.
std::string make_body(const HttpTargetSpec& spec, const CallInput& input);

// Resolves the host now, and blocks for it. Errors: invalid_argument, connect (no such host).
Result<TargetFactory> make_http_target(HttpTargetSpec spec);

}  // namespace plimsoll::load
