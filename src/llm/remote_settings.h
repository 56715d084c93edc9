// The settings that every remote provider has in common, and the Endpoint they make (NAT 1.9.0's retry, SSL, thinking and
// optimizer mix-ins).
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/schema.h"
#include "llm/openai_endpoint.h"

namespace plimsoll::llm {

struct RemoteSettings {
    std::string model_name;
    std::optional<std::string> api_key;
    std::optional<std::string> base_url;
    std::optional<double> request_timeout;  // seconds
    bool do_auto_retry = true;
    int num_retries = 5;
    json::value retry_on_status_codes = json::array{429, 500, 502, 503, 504};
    std::vector<std::string> retry_on_errors = {"Too Many Requests", "429"};
    bool verify_ssl = true;
    std::string api_type = "chat_completion";
    std::vector<std::string> optimizable_params;
    json::value search_space;
};

template <class Config>
Schema<Config> with_remote_fields(Schema<Config> schema) {
    // The explicit member type lets a pointer to a base's member convert.
    schema.template required<std::string>("model_name", &Config::model_name, "model to ask for")
        .alias("model")
        .template field<std::optional<std::string>>("api_key", &Config::api_key, "key of the API; from the environment when not set")
        .secret()
        .template field<std::optional<std::string>>("base_url", &Config::base_url, "address of the API up to and including /v1")
        .template field<std::optional<double>>("request_timeout", &Config::request_timeout, "seconds a call may take, retries included")
        .at_least(0.001)
        .template field<bool>("do_auto_retry", &Config::do_auto_retry, "ask again after errors worth it")
        .template field<int>("num_retries", &Config::num_retries, "attempts in all, the first one included")
        .at_least(1)
        .template field<json::value>("retry_on_status_codes", &Config::retry_on_status_codes,
                                     "HTTP statuses worth another attempt: 429, 5xx, 50*")
        .template field<std::vector<std::string>>("retry_on_errors", &Config::retry_on_errors,
                                                  "parts of error texts worth another attempt, any case")
        .template field<bool>("verify_ssl", &Config::verify_ssl, "check the server's certificate")
        .template field<std::string>("api_type", &Config::api_type, "wire format of the API")
        .one_of({"chat_completion", "responses"})
        .template field<std::vector<std::string>>("optimizable_params", &Config::optimizable_params, "accepted for NAT's optimizer, unused")
        .template field<json::value>("search_space", &Config::search_space, "accepted for NAT's optimizer, unused")
        .keeps_unknown({"top_k", "top_a", "min_tokens"});
    return schema;
}

// Where a provider's API is and where its key is when the settings do not say.
struct RemoteDefaults {
    const char* base_url;
    const char* api_key_variable;   // environment variable
    const char* base_url_variable;  // environment variable; nullptr = none
};

// Errors: config (a key that cannot be a header, a wrong status pattern), unsupported (api_type responses).
Result<Endpoint> make_endpoint(const RemoteSettings& settings, const RemoteDefaults& defaults);

// A timeout setting; more than a day is a day.
std::chrono::milliseconds to_timeout(double seconds);

// "429", 429, "5xx", "50*": the statuses meant. Errors: config.
Result<std::set<int>> parse_status_patterns(const json::value& patterns);

// Settings that `info` does not name: fields for the server's request body.
json::object unknown_settings(const ComponentInfo& info, const json::object& settings);

}  // namespace plimsoll::llm
