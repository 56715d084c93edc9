// Any request target is taken apart and matched without a crash, and what it is decoded to is never longer than it was.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/route_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll::net;
    static const RouteTable table = [] {
        RouteTable out;
        for (const char* pattern : {"/", "/{a}", "/{a}/x", "/x/{b}"}) out.add("GET", pattern, Handler());
        return out;
    }();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Target target = parse_target(text);
    std::size_t decoded = 0;
    for (const auto& [name, value] : target.query) decoded += name.size() + value.size();
    for (const auto& [name, value] : table.match("GET", target.path).params) decoded += value.size();
    if (decoded > size) __builtin_trap();
    return 0;
}
