#include <cstddef>
#include <cstdint>

#include "net/http1_reader.h"

// Whole and byte by byte must agree.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    std::string whole_body, piece_body;
    plimsoll::net::Http1Reader whole, pieces;
    const auto all = whole.feed(bytes, [&](std::string_view piece) { whole_body += piece; });
    bool ok = true;
    for (std::size_t i = 0; i < size && ok && !pieces.done(); ++i)
        ok = pieces.feed(bytes.substr(i, 1), [&](std::string_view piece) { piece_body += piece; }).has_value();
    if (all.has_value() != ok || whole.done() != pieces.done() || (ok && whole_body != piece_body)) __builtin_trap();
    return 0;
}
