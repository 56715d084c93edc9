// Spans as OpenTelemetry's protobuf (opentelemetry-proto 1.x, trace/v1 and collector/trace/v1), with the attribute names that
// NAT 1.9 writes, OpenInference's, and the GenAI semantic conventions' (v1.41). Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/session.h"

namespace plimsoll::record {

// Longer texts are cut, at a character's end: collectors refuse messages of some megabytes whole.
inline constexpr std::size_t kMaxAttributeBytes = 64u << 10;

// One call as its steps told it. `start` is the END itself when no START was seen; `end` is null for a call that never ended.
struct OtlpSpan {
    const event::Step& start;
    const event::Step* end = nullptr;
    double start_time = 0;  // seconds since the epoch
    double end_time = 0;
    std::optional<double> first_token;  // seconds since the epoch
    std::optional<Error> error;         // status ERROR with its message; else OK
};

// A Span message. The trace id is the session's; span ids follow from the steps' ids, so that parents need not be known. Texts under
// secret names are masked, bytes that are no UTF-8 replaced.
std::string encode_span(const event::SessionInfo& session, const OtlpSpan& span);

struct OtlpResource {
    std::vector<std::pair<std::string, std::string>> attributes;
};
// service.name = project and the SDK's name and version; `extra` wins.
OtlpResource make_resource(const std::string& project, const json::object& extra);

// An ExportTraceServiceRequest with encoded spans.
std::string encode_request(const OtlpResource& resource, std::span<const std::string> spans);

// Spans that a collector says it refused (partial_success.rejected_spans) in its ExportTraceServiceResponse; 0 for other bytes.
std::uint64_t rejected_spans(std::string_view response);

// 8 bytes: the last half of a uuid, which is random in every version; a hash (FNV-1a) of any other id.
std::string span_id_of(std::string_view id);

}  // namespace plimsoll::record
