// Any bytes must read as some trace file or none: NAT's JSON and, by detection, every other kind. Times stay in their bounds.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "event/span.h"
#include "record/trace_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t kMaxExpanded = 1 << 22;
    const auto traces = plimsoll::record::parse_trace_file({reinterpret_cast<const char*>(data), size}, kMaxExpanded);
    if (!traces) {
        const auto code = traces.error().code;
        PLIMSOLL_CHECK(code == plimsoll::ErrorCode::limit || code == plimsoll::ErrorCode::parse, traces.error().message);
        return 0;
    }
    for (const auto& session : traces->sessions)
        for (const auto& span : plimsoll::event::pair_spans(session.steps).spans)
            PLIMSOLL_CHECK(std::abs(span.duration()) <= 2e11, std::to_string(span.duration()));
    return 0;
}
