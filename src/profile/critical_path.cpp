#include "profile/critical_path.h"

#include <algorithm>
#include <map>

namespace plimsoll::profile {
namespace {

// One open call of the walk from the end backwards.
struct Frame {
    std::uint32_t call = kNoCall;
    double start = 0;
    double now = 0;                        // everything after is explained
    std::vector<std::uint32_t> remaining;  // children, the one that ended last at the back
};

Frame make_frame(std::span<const Call> tree, std::uint32_t call, const SiblingCalls& children, double start, double end) {
    Frame frame{call, start, end, {children.begin(), children.end()}};
    std::ranges::stable_sort(frame.remaining, {}, [&](std::uint32_t child) { return tree[child].end; });
    return frame;
}

// The child that the frame waited for last; children that nobody waited for are dropped on the way.
std::uint32_t take_last(std::span<const Call> tree, Frame& frame) {
    while (!frame.remaining.empty()) {
        const std::uint32_t child = frame.remaining.back();
        frame.remaining.pop_back();
        const Call& call = tree[child];
        const bool waited_for = call.end <= frame.now + kJoinSlackSeconds && std::min(call.end, frame.now) > call.start;
        if (waited_for) return child;
    }
    return kNoCall;
}

}  // namespace

std::vector<PathPiece> find_critical_path(const RunGraph& graph, const SessionRow& session) {
    const auto tree = graph.calls_of(session);
    std::vector<PathPiece> pieces;  // last first
    const auto add = [&](std::uint32_t call, double start, double end) {
        if (end > start) pieces.push_back({call, start, end});
    };
    std::vector<Frame> stack;
    stack.push_back(make_frame(tree, kNoCall, roots_of(tree), session.first_call_start, session.last_step));
    while (!stack.empty()) {
        Frame& frame = stack.back();
        const std::uint32_t child = take_last(tree, frame);
        if (child == kNoCall) {
            add(frame.call, frame.start, frame.now);
            stack.pop_back();
            continue;
        }
        const Call& call = tree[child];
        const double end = std::min(call.end, frame.now);
        const double start = std::max(call.start, frame.start);
        add(frame.call, end, frame.now);
        frame.now = std::min(start, end);
        stack.push_back(make_frame(tree, child, children_of(tree, child), frame.now, end));
    }
    std::ranges::reverse(pieces);
    return pieces;
}

CriticalPaths compute_critical_paths(const RunGraph& graph) {
    CriticalPaths paths;
    paths.on_path.resize(graph.calls.size());
    std::vector<StepPath> steps(graph.steps.size());
    double outside = 0;
    for (const SessionRow& session : graph.sessions) {
        paths.runtime += session.runtime();
        std::map<std::uint32_t, double> seconds;
        for (const PathPiece& piece : find_critical_path(graph, session)) {
            if (piece.call == kNoCall) {
                outside += piece.end - piece.start;
                continue;
            }
            const std::size_t at = session.first_call + piece.call;
            const std::uint32_t step = graph.calls[at].step;
            seconds[step] += piece.end - piece.start;
            steps[step].path_seconds += piece.end - piece.start;
            if (!paths.on_path[at]) ++steps[step].calls_on_path;
            paths.on_path[at] = true;
        }
        for (const auto& [step, time] : seconds) paths.by_session.push_back({step, time});
        paths.session_ends.push_back(paths.by_session.size());
    }

    double all_self = 0;
    for (const Call& call : graph.calls) {
        StepPath& step = steps[call.step];
        ++step.calls;
        step.self_seconds += call.self_time;
        all_self += call.self_time;
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
