#include "profile/chosen_sessions.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace plimsoll::profile {
namespace {

void add_path(const RunGraph& graph, const SessionRow& session, ChosenSession& chosen) {
    const double origin = session.first_call_start;
    std::map<std::uint32_t, double> seconds;  // by step
    for (const PathPiece& piece : find_critical_path(graph, session)) {
        SessionPathPiece out{.step = "", .uuid = "", .start = piece.start - origin, .end = piece.end - origin};
        if (piece.call != kNoCall) {
            const Call& call = graph.calls_of(session)[piece.call];
            out.step = to_string(graph.steps[call.step]);
            out.uuid = graph.uuids[call.uuid];
            seconds[call.step] += piece.end - piece.start;
        }
        if (chosen.path.size() < kMaxPathPieces)
            chosen.path.push_back(std::move(out));
        else
            ++chosen.path_left_out;
    }
    for (const auto& [step, time] : seconds)
        chosen.on_path.push_back({to_string(graph.steps[step]), time, chosen.runtime > 0 ? time / chosen.runtime : 0});
    std::ranges::stable_sort(chosen.on_path, std::greater(), &StepShare::seconds);
}

ChosenSession make_chosen_session(const RunGraph& graph, const CriticalPaths& paths, std::size_t index) {
    const SessionRow& session = graph.sessions[index];
    const double start = session.first_call_start;
    ChosenSession chosen{.label = "", .session = index, .request_number = session.request_number, .runtime = session.runtime(), .bars = {}};
    const std::size_t shown = std::min<std::size_t>(session.calls, kMaxSessionBars);
    chosen.bars_left_out = session.calls - shown;
    for (std::size_t i = 0; i < shown; ++i) {
        const Call& call = graph.calls_of(session)[i];
        SessionBar bar{.category = call.category,
                       .name = graph.shown_name(call),
                       .start = call.start - start,
                       .end = call.end - start,
                       .depth = static_cast<int>(call.depth),
                       .failed = call.failed,
                       .on_path = paths.on_path[session.first_call + i],
                       .first_token = {}};
        if (call.tokens > 0) bar.first_token = call.first_token - start;
        chosen.bars.push_back(std::move(bar));
    }
    add_path(graph, session, chosen);
    return chosen;
}

}  // namespace

std::vector<ChosenSession> choose_sessions(const RunGraph& graph, const CriticalPaths& paths, std::optional<std::size_t> asked) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < graph.sessions.size(); ++i)
        if (graph.sessions[i].calls > 0) order.push_back(i);
    if (order.empty()) return {};
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return graph.sessions[i].runtime(); });

    struct Wanted {
        const char* label;
        double percent;
    };
    std::vector<ChosenSession> chosen;
    for (const Wanted& wanted : {Wanted{"median", 50}, Wanted{"p95", 95}, Wanted{"slowest", 100}}) {
        const auto rank = static_cast<std::size_t>(std::lround(static_cast<double>(order.size() - 1) * wanted.percent / 100));
        if (chosen.empty() || chosen.back().session != order[rank]) {
            chosen.push_back(make_chosen_session(graph, paths, order[rank]));
            chosen.back().label = wanted.label;
        } else {
            chosen.back().label += std::string(" and ") + wanted.label;
        }
    }
    const auto is_asked = [&](const ChosenSession& session) { return session.session == asked; };
    if (const auto found = std::ranges::find_if(chosen, is_asked); found != chosen.end()) {
        found->label += " and asked for";
    } else if (asked && *asked < graph.sessions.size() && graph.sessions[*asked].calls > 0) {
        chosen.insert(chosen.begin(), make_chosen_session(graph, paths, *asked));
        chosen.front().label = "asked for";
    }
    return chosen;
}

json::value to_json(const std::vector<ChosenSession>& sessions) {
    json::array out;
    for (const ChosenSession& session : sessions) {
        json::array pieces, steps;
        for (const SessionPathPiece& piece : session.path)
            pieces.push_back({{"step", piece.step.empty() ? json::value() : json::value(piece.step)},
                              {"uuid", piece.uuid.empty() ? json::value() : json::value(piece.uuid)},
                              {"start", piece.start},
                              {"end", piece.end}});
        const std::size_t listed = std::min(session.on_path.size(), kMaxListedSteps);
        for (const StepShare& step : std::span(session.on_path).first(listed))
            steps.push_back({{"step", step.step}, {"seconds", step.seconds}, {"share", step.share}});
        out.push_back({{"session", session.session},
                       {"label", session.label},
                       {"runtime_seconds", session.runtime},
                       {"critical_path",
                        {{"steps", std::move(steps)},
                         {"steps_left_out", session.on_path.size() - listed},
                         {"pieces", std::move(pieces)},
                         {"pieces_left_out", session.path_left_out}}}});
    }
    return out;
}

}  // namespace plimsoll::profile
