// What a span of an agent is, in one vocabulary: the attribute names of NAT 1.9 (and AIQ, its former name), OpenInference, the GenAI
// semantic conventions (v1.41 and those up to v1.36, content in attributes or in events) and OpenLLMetry, as tables. Where several are
// there, NAT's win, then OpenInference's.
#pragma once

#include <optional>

#include "event/step.h"
#include "record/otlp_reader.h"

namespace plimsoll::record {

// Whether the span was said to be a certain kind of call; nothing for an ordinary span (an HTTP request, a database query).
std::optional<event::Category> category_of(const ReadSpan& span);

// Model of a model call, tool of a tool call, agent or function of the others; the span's name where no attribute says.
std::string call_name_of(const ReadSpan& span, event::Category category);

// What went in and came out; JSON text as JSON. Null where it was not recorded.
json::value input_of(const ReadSpan& span);
json::value output_of(const ReadSpan& span);

// Zeros where nothing was recorded; total is at least the sum of both sides.
event::UsageInfo usage_of(const ReadSpan& span);

// Seconds since the epoch, from an attribute that counts from the span's start, or from an event; within the span.
std::optional<double> first_token_of(const ReadSpan& span);

// From the status, an exception event, or `error.type`.
std::optional<Error> error_of(const ReadSpan& span);

// NAT's run of the workflow; empty elsewhere. One trace holds several when a client passes the same traceparent twice.
std::string run_id_of(const ReadSpan& span);
// Conversation that several traces may belong to; empty when there is none.
std::string conversation_of(const ReadSpan& span);

// NAT's function the call ran in; nothing elsewhere.
std::optional<event::InvocationNode> function_of(const ReadSpan& span);
std::optional<std::string> framework_of(const ReadSpan& span);
json::value metadata_of(const ReadSpan& span);

}  // namespace plimsoll::record
