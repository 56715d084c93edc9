#include "profile/trace_view.h"

#include <algorithm>

namespace plimsoll::profile {

TraceView make_trace_view(const std::vector<event::SessionTrace>& sessions) {
    TraceView view{sessions, {}};
    view.spans.reserve(sessions.size());
    for (const auto& session : sessions) view.spans.push_back(event::pair_spans(session.steps));
    return view;
}

std::optional<double> session_runtime(const event::SessionTrace& session) {
    if (session.steps.empty()) return std::nullopt;
    const auto time = [](const event::Step& step) { return step.payload.event_timestamp; };
    const auto [first, last] = std::ranges::minmax_element(session.steps, {}, time);
    return time(*last) - time(*first);
}

std::vector<double> session_runtimes(const std::vector<event::SessionTrace>& sessions) {
    std::vector<double> runtimes;
    for (const auto& session : sessions)
        if (const auto runtime = session_runtime(session)) runtimes.push_back(*runtime);
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
