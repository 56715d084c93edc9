#include "forecast/limits.h"

namespace plimsoll::forecast {

std::string_view to_string(Routing routing) {
    switch (routing) {
        case Routing::round_robin: return "round_robin";
        case Routing::least_loaded: return "least_loaded";
        case Routing::random: return "random";
    }
    return "";
}

std::optional<Routing> parse_routing(std::string_view name) {
    if (name == "round_robin") return Routing::round_robin;
    if (name == "least_loaded" || name == "least_outstanding" || name == "least_requests") return Routing::least_loaded;
    if (name == "random") return Routing::random;
    return std::nullopt;
}

}  // namespace plimsoll::forecast
