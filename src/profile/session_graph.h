// Every session of a run as its forks and joins: the calls with their children, and the step each call is an instance of.
// What critical path, replay and waste are computed from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "profile/call_tree.h"

namespace plimsoll::profile {

// What calls are summed up under. An LLM or tool call is told apart by the function it ran in, since the same model plans in
// one place and writes in another.
struct StepName {
    event::Category category = event::Category::custom;
    std::string name;
    std::string function;  // empty: in any function, or the step is a function itself
    friend auto operator<=>(const StepName&, const StepName&) = default;
};

StepName make_step_name(const event::Span& span);
std::string to_string(const StepName& step);  // "LLM llama in write"

// START and END of neighbouring calls are stamped by different callbacks: a call that starts this many seconds before another
// one ends still counts as started after it.
inline constexpr double kJoinSlackSeconds = 10e-6;

struct SessionGraph {
    std::vector<std::size_t> roots;  // calls, in the order of their start
    double start = 0, end = 0;       // of the first and the last step, seconds since the epoch
    std::size_t begin_call = 0, end_call = 0;

    double runtime() const { return end - start; }
};

struct RunGraph {
    CallTree calls;                                  // of every category, the workflow too
    std::vector<std::vector<std::size_t>> children;  // of each call, in the order of their start
    std::vector<StepName> steps;
    std::vector<std::size_t> step_of;    // index in `steps`, for each call
    std::vector<SessionGraph> sessions;  // one a session; without steps: no calls and no runtime
};

// `view` must outlive the graph. n log n.
RunGraph make_run_graph(const TraceView& view);

}  // namespace plimsoll::profile
