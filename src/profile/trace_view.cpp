#include "profile/trace_view.h"

#include <algorithm>

namespace plimsoll::profile {

TraceView make_trace_view(const std::vector<event::SessionTrace>& sessions) {
    TraceView view{sessions, {}};
    view.spans.reserve(sessions.size());
    for (const auto& session : sessions) view.spans.push_back(event::pair_spans(session.steps));
    return view;
}

std::optional<double> session_runtime(const event::SessionTrace& session, SessionStart start) {
    if (session.steps.empty()) return std::nullopt;
    double first = session.steps.front().payload.event_timestamp, last = first;
    for (const auto& step : session.steps) {
        first = std::min(first, step.payload.event_timestamp);
        last = std::max(last, step.payload.event_timestamp);
        if (start == SessionStart::step_or_span && step.payload.span_event_timestamp)
            first = std::min(first, *step.payload.span_event_timestamp);
    }
    return last - first;
}

std::vector<double> session_runtimes(const std::vector<event::SessionTrace>& sessions, SessionStart start) {
    std::vector<double> runtimes;
    for (const auto& session : sessions)
        if (const auto runtime = session_runtime(session, start)) runtimes.push_back(*runtime);
    return runtimes;
}

std::vector<double> llm_latencies(const TraceView& view) {
    std::vector<double> latencies;
    for (const auto& session : view.spans)
        for (const auto& span : session.spans)
            if (span.category == event::Category::llm && succeeded(span)) latencies.push_back(latency(span));
    return latencies;
}

}  // namespace plimsoll::profile
