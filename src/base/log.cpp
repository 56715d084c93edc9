#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>

namespace plimsoll {
namespace {

spdlog::logger& logger() {
    static const auto instance = [] {
        auto made = spdlog::stderr_color_mt("plimsoll");
        made->set_pattern("%^%l%$: %v");
        made->set_level(spdlog::level::trace);  // each sink has its own
        made->sinks().front()->set_level(spdlog::level::info);
        return made;
    }();
    return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return spdlog::level::debug;
        case LogLevel::info: return spdlog::level::info;
        case LogLevel::warning: return spdlog::level::warn;
        case LogLevel::error: return spdlog::level::err;
        case LogLevel::off: return spdlog::level::off;
    }
    return spdlog::level::info;
}

}  // namespace

void set_log_level(LogLevel level) { logger().sinks().front()->set_level(to_spdlog(level)); }

Result<void> add_log_file(const std::filesystem::path& path, LogLevel level, bool truncate) {
    try {
        auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string(), truncate);
        sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        sink->set_level(to_spdlog(level));
        logger().sinks().push_back(std::move(sink));
    } catch (const spdlog::spdlog_ex& error) {
        return fail(ErrorCode::io, error.what());
    }
    logger().flush_on(spdlog::level::trace);
    return {};
}

void write_log(LogLevel level, std::string_view text) { logger().log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size())); }

bool is_secret_name(std::string_view name) {
    constexpr std::array<std::string_view, 8> kParts = {"authorization", "cookie", "api_key",  "api-key",
                                                        "apikey",        "secret", "password", "token"};
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // max_tokens and its like count tokens; they hold no secret.
    if (lower.ends_with("tokens")) return false;
    return std::ranges::any_of(kParts, [&](std::string_view part) { return lower.contains(part); });
}

std::string mask_url_password(std::string_view text) {
    constexpr std::string_view kAuthority = "://";
    const std::size_t scheme = text.find(kAuthority);
    if (scheme == std::string_view::npos) return std::string(text);
    const std::size_t begin = scheme + kAuthority.size();
    const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
    const std::size_t at = text.substr(0, end).rfind('@');
    if (at == std::string_view::npos || at < begin) return std::string(text);
    return fmt::format("{}{}{}", text.substr(0, begin), kRedacted, text.substr(at));
}

}  // namespace plimsoll
