// The spans of one file of OTLP: JSON as it stands or a line each, protobuf as one request, as delimited requests, or framed as the
// collector's file exporter writes it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "record/otlp_sessions.h"

namespace plimsoll::record {

struct ReadSpans {
    std::vector<SpanRow> spans;  // their places are in the text that was read, or in one of `texts`
    event::SkipReport skipped;
    std::vector<std::unique_ptr<std::string>> texts;  // requests that were compressed
};

// Hears of the bytes of each span that was read.
using LookedAt = std::function<void(std::size_t)>;

ReadSpans read_json_spans(std::string_view text, const LookedAt& looked_at);

// Whichever reading of the bytes finds most spans with least damage. Compressed requests expand to no more than `max_bytes` together.
ReadSpans read_protobuf_spans(std::string_view bytes, std::uint64_t max_bytes, const LookedAt& looked_at);

}  // namespace plimsoll::record
