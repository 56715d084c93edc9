// Which calls determined when a session ended, and each step's share of that.
//
// The path is found from the end backwards: in a call, the child that ended last before the current moment is on the path
// from its start to its end, and so on before it; what no such child covers is the call's own. A child still running where
// another one on the path began, or beyond its caller's end, was waited for by nobody and is not on it. So the pieces of a
// path follow each other without gaps and add up to the session's runtime.
#pragma once

#include <span>
#include <vector>

#include "profile/distribution.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

struct PathPiece {
    std::uint32_t call = kNoCall;  // in the session's tree; kNoCall: outside any call
    double start = 0, end = 0;     // seconds since the epoch
};

// In the order of time. Empty for a session without runtime.
std::vector<PathPiece> find_critical_path(const RunGraph& graph, const SessionRow& session);

struct StepPath {
    StepName step;
    std::size_t calls = 0;
    std::size_t calls_on_path = 0;
    double path_seconds = 0;  // over all sessions
    double path_share = 0;    // of the runtime of all sessions; 0..1
    double self_seconds = 0;  // not covered by a callee, on the path or not
    double self_share = 0;    // of the self time of all calls; 0..1
};

struct CriticalPaths {
    std::vector<StepPath> steps;  // largest path share first
    double runtime = 0;           // of all sessions, seconds
    double outside_share = 0;     // of the runtime, outside any call; 0..1
    // The seconds on each session's path by index in RunGraph::steps, one session after another; steps not on the path are left out.
    struct StepSeconds {
        std::uint32_t step = 0;
        double seconds = 0;
    };
    std::vector<StepSeconds> by_session;
    std::vector<std::size_t> session_ends;  // in by_session, for each session
    std::vector<bool> on_path;              // for each call of the graph

    // Of no more use once the analyses that build on them are done.
    void forget_calls() { by_session = {}, session_ends = {}, on_path = {}; }

    std::span<const StepSeconds> steps_of(std::size_t session) const {
        const std::size_t begin = session == 0 ? 0 : session_ends[session - 1];
        return std::span(by_session).subspan(begin, session_ends[session] - begin);
    }
};

CriticalPaths compute_critical_paths(const RunGraph& graph);

// Lists the first kMaxListedSteps; the others count in steps_left_out.
inline constexpr std::size_t kMaxListedSteps = 200;
json::value to_json(const CriticalPaths& paths);

}  // namespace plimsoll::profile
