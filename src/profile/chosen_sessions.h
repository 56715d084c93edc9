// The sessions worth looking at one by one: the median, the 95th percentile and the slowest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profile/critical_path.h"

namespace plimsoll::profile {

struct SessionBar {
    event::Category category = event::Category::custom;
    std::string name;
    double start = 0, end = 0;  // seconds after the session's start
    int depth = 0;
    bool failed = false;
    bool on_path = false;               // part of the session's critical path
    std::optional<double> first_token;  // seconds after the session's start
};

// A stretch of the session's critical path (critical_path.h): the pieces follow each other from its start to its end.
struct SessionPathPiece {
    std::string step;           // "LLM llama in write"; empty: outside any call
    std::string uuid;           // of the call
    double start = 0, end = 0;  // seconds after the session's start
};

struct StepShare {
    std::string step;
    double seconds = 0;
    double share = 0;  // of the session's runtime; 0..1
};

struct ChosenSession {
    std::string label;        // "median", "p95", "slowest"; several where they are the same session: "median and p95"
    std::size_t session = 0;  // index in the run
    std::int64_t request_number = 0;
    double runtime = 0;            // seconds
    std::vector<SessionBar> bars;  // every call in preorder, the workflow too
    std::size_t bars_left_out = 0;
    std::vector<SessionPathPiece> path;
    std::size_t path_left_out = 0;   // later pieces
    std::vector<StepShare> on_path;  // all of the path by step, largest share first; they add up to 1 with what is outside any call
};

inline constexpr std::size_t kMaxSessionBars = 5000;
inline constexpr std::size_t kMaxPathPieces = 1000;

// The sessions whose rank by runtime is nearest to each percentile, and the one that was asked for by its index, when the run
// has it. Sessions without calls are never chosen.
std::vector<ChosenSession> choose_sessions(const RunGraph& graph, const CriticalPaths& paths, std::optional<std::size_t> asked);

// Labels, runtimes and critical paths; the bars are the pictures'. Of the steps the first kMaxListedSteps.
json::value to_json(const std::vector<ChosenSession>& sessions);

}  // namespace plimsoll::profile
