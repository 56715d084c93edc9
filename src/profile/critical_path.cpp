#include "profile/critical_path.h"

#include <algorithm>
#include <span>
#include <unordered_map>

namespace plimsoll::profile {
namespace {

// One open call of the walk from the end backwards.
struct Frame {
    std::optional<std::size_t> call;
    double start = 0;
    double now = 0;                      // everything after is explained
    std::vector<std::size_t> remaining;  // children, the one that ended last at the back
};

Frame make_frame(const RunGraph& graph, std::optional<std::size_t> call, const std::vector<std::size_t>& children, double start,
                 double end) {
    Frame frame{call, start, end, children};
    std::ranges::stable_sort(frame.remaining, {}, [&](std::size_t child) { return graph.calls[child].end; });
    return frame;
}

// The child that the frame waited for last; children that nobody waited for are dropped on the way.
std::optional<std::size_t> take_last(const RunGraph& graph, Frame& frame) {
    while (!frame.remaining.empty()) {
        const std::size_t child = frame.remaining.back();
        frame.remaining.pop_back();
        const Call& call = graph.calls[child];
        const bool waited_for = call.end <= frame.now + kJoinSlackSeconds && std::min(call.end, frame.now) > call.start();
        if (waited_for) return child;
    }
    return std::nullopt;
}

}  // namespace

std::vector<PathPiece> find_critical_path(const RunGraph& graph, std::size_t session) {
    const SessionGraph& whole = graph.sessions[session];
    std::vector<PathPiece> pieces;  // last first
    const auto add = [&](std::optional<std::size_t> call, double start, double end) {
        if (end > start) pieces.push_back({call, start, end});
    };
    std::vector<Frame> stack;
    stack.push_back(make_frame(graph, std::nullopt, whole.roots, whole.start, whole.end));
    while (!stack.empty()) {
        Frame& frame = stack.back();
        const auto child = take_last(graph, frame);
        if (!child) {
            add(frame.call, frame.start, frame.now);
            stack.pop_back();
            continue;
        }
        const Call& call = graph.calls[*child];
        const double end = std::min(call.end, frame.now);
        const double start = std::max(call.start(), frame.start);
        add(frame.call, end, frame.now);
        frame.now = std::min(start, end);
        stack.push_back(make_frame(graph, child, graph.children[*child], frame.now, end));
    }
    std::ranges::reverse(pieces);
    return pieces;
}

CriticalPaths compute_critical_paths(const RunGraph& graph) {
    CriticalPaths paths;
    paths.on_path.resize(graph.calls.size());
    paths.by_session.resize(graph.sessions.size());
    std::vector<StepPath> steps(graph.steps.size());
    double outside = 0;
    for (std::size_t session = 0; session < graph.sessions.size(); ++session) {
        paths.runtime += graph.sessions[session].runtime();
        std::unordered_map<std::size_t, double> seconds;
        for (const PathPiece& piece : find_critical_path(graph, session)) {
            if (!piece.call) {
                outside += piece.end - piece.start;
                continue;
            }
            const std::size_t step = graph.step_of[*piece.call];
            seconds[step] += piece.end - piece.start;
            steps[step].path_seconds += piece.end - piece.start;
            if (!paths.on_path[*piece.call]) ++steps[step].calls_on_path;
            paths.on_path[*piece.call] = true;
        }
        paths.by_session[session].assign(seconds.begin(), seconds.end());
        std::ranges::sort(paths.by_session[session]);
    }

    double all_self = 0;
    for (std::size_t i = 0; i < graph.calls.size(); ++i) {
        StepPath& step = steps[graph.step_of[i]];
        ++step.calls;
        step.self_seconds += graph.calls[i].self_time;
        all_self += graph.calls[i].self_time;
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
        steps[i].step = graph.steps[i];
        if (paths.runtime > 0) steps[i].path_share = steps[i].path_seconds / paths.runtime;
        if (all_self > 0) steps[i].self_share = steps[i].self_seconds / all_self;
    }
    if (paths.runtime > 0) paths.outside_share = outside / paths.runtime;
    std::ranges::stable_sort(steps, std::greater(), &StepPath::path_share);
    paths.steps = std::move(steps);
    return paths;
}

json::value to_json(const CriticalPaths& paths) {
    json::array steps;
    const std::size_t listed = std::min(paths.steps.size(), kMaxListedSteps);
    for (const StepPath& step : std::span(paths.steps).first(listed))
        steps.push_back({{"step", to_string(step.step)},
                         {"calls", step.calls},
                         {"calls_on_path", step.calls_on_path},
                         {"path_seconds", step.path_seconds},
                         {"path_share", step.path_share},
                         {"self_seconds", step.self_seconds},
                         {"self_share", step.self_share}});
    return {{"runtime_seconds", paths.runtime},
            {"outside_share", paths.outside_share},
            {"steps", std::move(steps)},
            {"steps_left_out", paths.steps.size() - listed}};
}

}  // namespace plimsoll::profile
