// Spans as sessions: what `profile` reads from a trace that somebody else's instrumentation made.
#pragma once

#include <functional>
#include <vector>

#include "event/trace.h"
#include "record/otlp_reader.h"

namespace plimsoll::record {

// What must be known of every span at once to tell which session it belongs to; the span itself is read again with its session. Ids are
// hashes; 0 stands for none.
struct SpanRow {
    SpanPlace place;
    double start = 0;  // seconds since the epoch
    std::size_t trace = 0, id = 0, run = 0;
    std::uint32_t source = 0;  // of the caller's: which file
    bool ended = false;
    bool is_caller = false;  // a workflow or function, or of no kind that is known
};
SpanRow make_span_row(const ReadSpan& span, const SpanPlace& place);

// A session is a trace; of a trace with several NAT runs each run. Traces that are single calls without any agent around them are one
// session where they name the same conversation. Sessions come and are numbered in the order of their start, steps stand in the order of
// time.
//
// A span becomes a START and an END (with span_event_timestamp), and an LLM_NEW_TOKEN when the first token's time is known; without an end
// time it has no END. The only root of a session is its workflow, unless it is a model or tool call. A span ending before it starts ends
// when it starts. Repeated spans, which exporters send when an answer is lost, are left out and named to `on_repeated`; a parent that is
// not there, or is its own descendant, is "root".
struct SpanSessions {
    std::function<void(const SpanRow& first, event::SessionTrace)> on_session;  // `first` is one of its spans
    std::function<void(const SpanRow&, const std::string& span_id)> on_repeated;
};
void make_sessions(std::vector<SpanRow> spans, const SpanSessions& to);

}  // namespace plimsoll::record
