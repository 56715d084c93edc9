// Traces at rest: the steps of the sessions of a run, as NAT's all_requests_profiler_traces.json holds them.
#pragma once

#include <string>
#include <vector>

#include "event/step.h"

namespace plimsoll::event {

struct SessionTrace {
    std::int64_t request_number = 0;
    std::vector<Step> steps;
};

json::value to_json(const SessionTrace& trace);
json::value to_json(const std::vector<SessionTrace>& traces);

// Reads every session it can. `skipped` says what was left out and why, a line each ("request 3 step 7: event_type: …").
struct TraceFile {
    std::vector<SessionTrace> sessions;
    std::vector<std::string> skipped;
};
// Errors: parse when the text is no JSON array of requests at all.
Result<TraceFile> parse_traces(std::string_view text);

}  // namespace plimsoll::event
