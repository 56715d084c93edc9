#include "event/trace.h"

#include <fmt/format.h>

namespace plimsoll::event {

json::value to_json(const SessionTrace& trace) {
    json::array steps;
    steps.reserve(trace.steps.size());
    for (const auto& step : trace.steps) steps.push_back(to_json(step));
    return {{"request_number", trace.request_number}, {"intermediate_steps", std::move(steps)}};
}

json::value to_json(const std::vector<SessionTrace>& traces) {
    json::array out;
    out.reserve(traces.size());
    for (const auto& trace : traces) out.push_back(to_json(trace));
    return out;
}

Result<TraceFile> parse_traces(std::string_view text) {
    auto parsed = parse_json(text);
    if (!parsed) return fail(parsed.error());
    const auto* requests = parsed->if_array();
    if (!requests) return fail(ErrorCode::parse, "a trace file is a JSON array of requests");
    TraceFile file;
    for (std::size_t i = 0; i < requests->size(); ++i) {
        const json::value& request = (*requests)[i];
        const auto* steps = find(request, "intermediate_steps");
        if (!steps || !steps->is_array()) {
            file.skipped.push_back(fmt::format("request {}: no intermediate_steps", i));
            continue;
        }
        SessionTrace trace;
        trace.request_number = get_int(request, "request_number").value_or(static_cast<std::int64_t>(i));
        for (std::size_t j = 0; j < steps->get_array().size(); ++j) {
            auto step = parse_step(steps->get_array()[j]);
            if (step)
                trace.steps.push_back(std::move(*step));
            else
                file.skipped.push_back(fmt::format("request {} step {}: {}", i, j, step.error().message));
        }
        file.sessions.push_back(std::move(trace));
    }
    return file;
}

}  // namespace plimsoll::event
