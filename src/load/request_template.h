// One HTTP request of a described target as a template with placeholders: ${input}, what the user asks now; ${messages}, the whole
// conversation as a list of {role, content}; ${session}, the session's number; and ${NAME}, what a rule captured from an earlier answer.
//
// In a body a text that is nothing but a placeholder becomes its value, a list or object too ({"queries": "${queries}"}); inside a longer
// text the value is written into it. In a URL it is percent-encoded. A call is one or more of them in turn (make_sequence_target).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "load/target.h"
#include "net/http_client.h"

namespace plimsoll::load {

struct RequestTemplate {
    std::string method = "POST";
    std::string url;
    net::Headers headers;
    std::string body;  // JSON, or any other text
    AnswerRules rules;
};

inline constexpr std::string_view kOwnPlaceholders[] = {"input", "session", "messages"};

// In the order in which they stand there, without ${ and }.
std::vector<std::string> placeholders(std::string_view text);

// A name that nothing is known for is left as it stands.
std::string fill_body(std::string_view text, const CallInput& input, const Captured& captured);
std::string fill_header(std::string_view text, const CallInput& input, const Captured& captured);
std::string fill_url(std::string_view text, const CallInput& input, const Captured& captured);

// Sends the requests one after the other, each once the answer before has ended well; together they are one call with one answer. Every
// one of `requests` also gets `headers`. The requests go through net::HttpClient.
TargetFactory make_sequence_target(std::vector<RequestTemplate> requests, net::Headers headers, bool verify_tls);

}  // namespace plimsoll::load
