// Traces at rest: the steps of the sessions of a run, as NAT's all_requests_profiler_traces.json holds them.
#pragma once

#include <map>
#include <optional>
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

// Member of a START's metadata: when its caller wanted the call or session to begin, seconds since the epoch. What lies between that and
// the START was spent waiting in the client.
inline constexpr std::string_view kIntendedStart = "intended_start";

// Notes in the trace's WORKFLOW_START that the session waited in its client so long before it, unless that is noted already.
void note_queueing(SessionTrace& trace, double seconds);

// What a reader left out: how often for each reason, and the first places. Reasons come from outside too, so both are bounded.
class SkipReport {
  public:
    static constexpr std::size_t kMaxPlaces = 3;     // of a reason; further ones are only counted
    static constexpr std::size_t kMaxReasons = 100;  // further ones count as "other reasons"
    struct Reason {
        std::size_t count = 0;
        std::vector<std::string> places;
    };

    void add(std::string reason, std::string place, std::size_t count = 1);
    // Everything of `other`, its places with `prefix` in front.
    void add(const SkipReport& other, std::string_view prefix);

    bool empty() const { return reasons_.empty(); }
    std::size_t count() const;
    const std::map<std::string, Reason>& reasons() const { return reasons_; }

  private:
    std::map<std::string, Reason> reasons_;
};
json::value to_json(const SkipReport& skipped);

// One element of the array. Steps that cannot be read cost themselves. Nothing, and a reason, when it holds no list of steps. Without a
// request_number of its own it gets `number`.
std::optional<SessionTrace> parse_session(const json::value& request, std::int64_t number, SkipReport& skipped);

// Reads every session it can. Whole files, damaged ones and other formats are record::read_trace_file()'s business.
struct TraceFile {
    std::vector<SessionTrace> sessions;
    SkipReport skipped;
};
// Errors: parse when the text is no JSON array of requests at all.
Result<TraceFile> parse_traces(std::string_view text);

}  // namespace plimsoll::event
