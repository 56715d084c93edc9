#include "llm/remote_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace plimsoll::llm {
namespace {

constexpr int kMinStatus = 100;
constexpr int kMaxStatus = 599;
constexpr double kMaxTimeoutSeconds = 86'400;

std::string setting_or_variable(const std::optional<std::string>& setting, const char* variable, const char* otherwise) {
    if (setting && !setting->empty()) return *setting;
    const char* value = variable ? std::getenv(variable) : nullptr;
    return value && *value ? value : otherwise;
}

// A key read from a file often ends in a newline.
std::string trim_end(std::string text) {
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text;
}

bool matches(std::string_view pattern, std::string_view status) {
    if (pattern.ends_with('*')) return status.starts_with(pattern.substr(0, pattern.size() - 1));
    return std::ranges::equal(pattern, status, [](char p, char s) { return p == s || p == 'x' || p == 'X'; });
}

}  // namespace

Result<std::set<int>> parse_status_patterns(const json::value& patterns) {
    std::set<int> statuses;
    if (patterns.is_null()) return statuses;
    const auto* list = patterns.if_array();
    if (!list) return fail(ErrorCode::config, "retry_on_status_codes: must be a list");
    for (const auto& item : *list) {
        const std::string pattern = to_text(item);
        bool known = false;
        for (int status = kMinStatus; status <= kMaxStatus; ++status) {
            if (!matches(pattern, std::to_string(status))) continue;
            statuses.insert(status);
            known = true;
        }
        if (!known) return fail(ErrorCode::config, fmt::format("retry_on_status_codes: {} is no HTTP status", pattern));
    }
    return statuses;
}

std::chrono::milliseconds to_timeout(double seconds) {
    return std::chrono::milliseconds(std::llround(std::min(seconds, kMaxTimeoutSeconds) * 1000));
}

Result<Endpoint> make_endpoint(const RemoteSettings& settings, const RemoteDefaults& defaults) {
    if (settings.api_type != "chat_completion")
        return fail(ErrorCode::unsupported, "api_type: only chat_completion is there, not " + settings.api_type);
    auto statuses = parse_status_patterns(settings.retry_on_status_codes);
    if (!statuses) return fail(statuses.error());

    Endpoint endpoint;
    std::string base_url = setting_or_variable(settings.base_url, defaults.base_url_variable, defaults.base_url);
    endpoint.base_url = [base_url = std::move(base_url)] { return base_url; };
    endpoint.api_key = trim_end(setting_or_variable(settings.api_key, defaults.api_key_variable, ""));
    if (std::ranges::any_of(endpoint.api_key, [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        return fail(ErrorCode::config, "api_key: holds a control character");
    endpoint.verify_tls = settings.verify_ssl;
    endpoint.retry.attempts = settings.do_auto_retry ? settings.num_retries : 1;
    endpoint.retry.statuses = std::move(*statuses);
    endpoint.retry_on_errors = settings.retry_on_errors;
    if (settings.request_timeout) endpoint.request_timeout = to_timeout(*settings.request_timeout);
    return endpoint;
}

json::object unknown_settings(const ComponentInfo& info, const json::object& settings) {
    json::object unknown;
    for (const auto& [key, value] : settings) {
        const auto names = [&](const FieldInfo& field) {
            return field.name == key || std::ranges::find(field.aliases, key) != field.aliases.end();
        };
        if (std::ranges::none_of(info.fields, names)) unknown[key] = value;
    }
    return unknown;
}

}  // namespace plimsoll::llm
