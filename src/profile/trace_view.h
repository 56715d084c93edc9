// What every analysis reads: the steps of a run and the spans made of them, paired once.
#pragma once

#include <optional>
#include <vector>

#include "event/span.h"
#include "event/trace.h"

namespace plimsoll::profile {

// `sessions` must outlive the view; analyses keep pointers to its spans.
struct TraceView {
    const std::vector<event::SessionTrace>& sessions;
    std::vector<event::SpanList> spans;  // one list a session, in the order of their start
};

TraceView make_trace_view(const std::vector<event::SessionTrace>& sessions);

// A session begins with its first step, or with the start that an END carries when that is earlier (the STARTs of a saved run may
// have been filtered out). NAT knows only the steps.
enum class SessionStart : std::uint8_t { step_or_span, step };

// Seconds from there to the last step; nothing for a session without steps.
std::optional<double> session_runtime(const event::SessionTrace& session, SessionStart start = SessionStart::step_or_span);
std::vector<double> session_runtimes(const std::vector<event::SessionTrace>& sessions, SessionStart start = SessionStart::step_or_span);

// Finished without an error: only these count in latencies.
inline bool succeeded(const event::Span& span) { return span.finished && !span.error; }

// Seconds; 0 where the clock of a recorder ran backwards.
inline double latency(const event::Span& span) { return span.end > span.start ? span.duration() : 0; }

// Of every LLM call that succeeded, START and END paired by UUID.
std::vector<double> llm_latencies(const TraceView& view);

}  // namespace plimsoll::profile
