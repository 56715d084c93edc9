#include "functions/current_datetime.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <ctime>

#include "functions/time_zone.h"
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
    const auto when = static_cast<std::int64_t>(std::floor(epoch_seconds));
    const int offset = utc_offset(zone, when).value_or(0);
    const auto local = static_cast<std::time_t>(when + offset);
    std::tm fields{};
    ::gmtime_r(&local, &fields);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &fields);
    const int minutes = std::abs(offset) / 60;
    return fmt::format("The current time of day is {} {}{:02}{:02}", text, offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

FunctionType current_datetime_type() {
    return {schema().info(), [](Builder&, const std::string&, const json::object& settings) -> Result<std::unique_ptr<Function>> {
                if (auto config = schema().parse(settings); !config) return fail(config.error());
                return std::make_unique<CurrentDatetime>();
            }};
}

}  // namespace plimsoll::functions
