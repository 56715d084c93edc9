// OTLP read: the spans of exported traces, from protobuf or JSON (opentelemetry-proto 1.x, trace/v1). Bytes from outside may be cut or
// damaged anywhere: every span that can be read is, the rest is counted.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "event/trace.h"

namespace plimsoll::record {

struct ReadEvent {
    std::string name;
    double time = 0;  // seconds since the epoch
    json::object attributes;
};

struct ReadSpan {
    std::string trace_id, span_id, parent_id;  // lower-case hex as a rule; the parent's is empty at a root
    std::string name;
    double start = 0;  // seconds since the epoch
    double end = 0;    // 0: it was exported before its end
    bool failed = false;
    std::string status_message;
    json::object attributes;
    std::vector<ReadEvent> events;
};

// Where a span stands in a text, so that it can be read again.
struct SpanPlace {
    std::string_view bytes;
    enum class Form : std::uint8_t { json, protobuf } form = Form::json;
};
ReadSpan read_span(const SpanPlace& place);

using OnSpan = std::function<void(const ReadSpan&, const SpanPlace&)>;

inline constexpr int kMaxValueDepth = 16;  // of lists in an attribute's value; deeper ones are null

// One ExportTraceServiceRequest. `skipped` stays empty only when every byte was understood.
void read_otlp_protobuf(std::string_view bytes, const OnSpan& on_span, event::SkipReport& skipped);

// Spans wherever they stand: one request, an array of them, or a line each, as the collector's file exporter writes. Numbers may be texts,
// enums names, keys in either case.
void read_otlp_json(std::string_view text, const OnSpan& on_span, event::SkipReport& skipped);

}  // namespace plimsoll::record
