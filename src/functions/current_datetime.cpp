#include "functions/current_datetime.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <mutex>

#include "net/http_client.h"

namespace plimsoll::functions {
namespace {

struct CurrentDatetimeConfig {
    std::optional<std::string> description;
};

const Schema<CurrentDatetimeConfig>& schema() {
    static const auto instance = Schema<CurrentDatetimeConfig>("functions", "current_datetime", "tells the date and time")
                                     .field("description", &CurrentDatetimeConfig::description, "what the function is for, told to agents");
    return instance;
}

bool is_zone(const std::string& zone) {
    if (zone.empty() || zone.contains("..") || zone.starts_with('/')) return false;
    std::error_code error;
    return std::filesystem::is_regular_file(std::filesystem::path("/usr/share/zoneinfo") / zone, error);
}

// libstdc++ 12 has no time zones and localtime knows only the process's own, so TZ is set for the length of the call.
std::tm local_time(std::time_t when, const std::string& zone) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    const char* current = std::getenv("TZ");
    const std::optional<std::string> before = current ? std::optional<std::string>(current) : std::nullopt;
    ::setenv("TZ", zone.c_str(), 1);
    ::tzset();
    std::tm out{};
    ::localtime_r(&when, &out);
    if (before)
        ::setenv("TZ", before->c_str(), 1);
    else
        ::unsetenv("TZ");
    ::tzset();
    return out;
}

class CurrentDatetime : public Function {
  public:
    asio::awaitable<Result<json::value>> invoke(event::Context context, json::value) override {
        std::string zone;
        double now = 0;
        if (context.session) {
            now = context.session->now();
            if (const auto* header = net::find_header(context.session->info().headers, "x-timezone")) zone = *header;
        } else {
            now = system_clock()();
        }
        co_return json::value(describe_time(now, zone));
    }
};

}  // namespace

std::string describe_time(double epoch_seconds, const std::string& zone) {
    const auto when = static_cast<std::time_t>(std::floor(epoch_seconds));
    const std::tm local = local_time(when, is_zone(zone) ? zone : "UTC");
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &local);
    return fmt::format("The current time of day is {}", text);
}

FunctionType current_datetime_type() {
    return {schema().info(), [](Builder&, const std::string&, const json::object& settings) -> Result<std::unique_ptr<Function>> {
                if (auto config = schema().parse(settings); !config) return fail(config.error());
                return std::make_unique<CurrentDatetime>();
            }};
}

}  // namespace plimsoll::functions
