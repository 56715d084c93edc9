// Any bytes must read: what becomes of the spans is a session in which no call ends before it starts.
#include <cstddef>
#include <cstdint>

#include "event/span.h"
#include "record/otlp_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll;
    record::ReadSpans read = record::read_json_spans({reinterpret_cast<const char*>(data), size}, [](std::size_t) {});
    const std::size_t spans = read.spans.size();
    std::size_t starts = 0;
    const auto check = [&](const record::SpanRow&, const event::SessionTrace& session) {
        PLIMSOLL_CHECK(!session.steps.empty(), "a session without a step");
        for (const auto& step : session.steps) starts += step.payload.event_type.phase == event::Phase::start;
        for (const auto& span : event::pair_spans(session.steps).spans) PLIMSOLL_CHECK(span.end >= span.start, span.uuid);
    };
    record::make_sessions(std::move(read.spans), {check, [](const record::SpanRow&, const std::string&) {}});
    PLIMSOLL_CHECK(starts <= spans, "more calls than spans");
    return 0;
}
