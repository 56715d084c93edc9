// Any bytes, cut anywhere, give the same lines as the bytes in one piece; nothing crashes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/sse.h"

namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

// Each piece is `step` bytes long; 0 means everything at once.
Lines parse(std::string_view bytes, std::size_t step) {
    Lines lines;
    plimsoll::net::SseParser parser(
        [&](std::string_view field, std::string_view value) { lines.emplace_back(std::string(field), std::string(value)); });
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, step == 0 ? bytes.size() : step);
        if (!parser.feed(piece)) __builtin_trap();  // inputs are far below the line limit
        bytes.remove_prefix(piece.size());
    }
    parser.finish();
    return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (parse(bytes, data[0]) != parse(bytes, 0)) __builtin_trap();
    return 0;
}
