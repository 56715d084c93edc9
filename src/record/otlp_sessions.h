// Spans as sessions: what `profile` reads from a trace that somebody else's instrumentation made.
#pragma once

#include <vector>

#include "event/trace.h"
#include "record/otlp_reader.h"

namespace plimsoll::record {

// A session is a trace; of a trace with several NAT runs each run. Traces that are single calls without any agent around them are one
// session where they name the same conversation. Sessions are numbered in the order of their start, steps stand in the order of time.
//
// A span becomes a START and an END (with span_event_timestamp), and an LLM_NEW_TOKEN when the first token's time is known; without an end
// time it has no END. The only root of a session is its workflow, unless it is a model or tool call. A span ending before it starts ends
// when it starts. Repeated spans, which exporters send when an answer is lost, are counted in `skipped`; a parent that is not there, or is
// its own descendant, is "root".
std::vector<event::SessionTrace> make_sessions(std::vector<ReadSpan> spans, event::SkipReport& skipped);

}  // namespace plimsoll::record
