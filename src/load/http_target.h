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
//     capture: {job_id: {path: job_id}}             # the last match, for the requests that follow; or {header: Location}
//
// or, when a call takes several requests, `requests:` with a list of such mappings, one after the other, and the common `headers:`.
// ${input}, ${messages}, ${session} and what was captured stand for values (load/request_template.h); ${env:NAME} is an environment
// variable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "load/request_template.h"
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
    // Of a described one that takes several: then the method, URL, body and rules above are not used.
    std::vector<RequestTemplate> requests;
    bool verify_tls = true;
};

// Base URL to spec: <url>/chat/completions, <url>/completions, <url>/generate/full.
HttpTargetSpec make_openai_spec(const std::string& base_url, bool chat);
HttpTargetSpec make_nat_spec(const std::string& base_url);

// Descriptions that are part of the program, by their name for --kind.
std::vector<std::string_view> known_target_names();
std::optional<std::string_view> find_known_target(std::string_view name);

// Reads a description. Environment variables come from `getenv` (a secret stays out of the file). Errors: config, every problem of the
// file with its place in one message.
using GetEnv = std::function<const char*(const std::string&)>;
Result<HttpTargetSpec> parse_target(std::string_view yaml, const std::string& file_name, const std::string& base_url, const GetEnv& getenv);

// True for localhost, 127.0.0.0/8 and ::1: what may be loaded without a word. Errors: invalid_argument (no http or https URL, or one
// with credentials in it).
Result<bool> is_loopback(const std::string& url);
Result<bool> is_loopback(const HttpTargetSpec& spec);  // all of its requests

// "POST http://localhost:8000/v1/chat/completions": without the query, which may hold a key.
std::string shown_target(const HttpTargetSpec& spec);

// What a server said with a status that is no success.
Error status_error(int status, std::string_view body, double retry_after_s);

// The body of one request.
std::string make_body(const HttpTargetSpec& spec, const CallInput& input);

// Resolves the host now, and blocks for it. Errors: invalid_argument, connect (no such host).
Result<TargetFactory> make_http_target(HttpTargetSpec spec);

}  // namespace plimsoll::load
