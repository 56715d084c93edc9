#include "profile/chosen_sessions.h"

#include <algorithm>
#include <cmath>

namespace plimsoll::profile {
namespace {

ChosenSession make_chosen_session(const RunGraph& graph, const CriticalPaths& paths, std::size_t session) {
    const SessionGraph& whole = graph.sessions[session];
    ChosenSession chosen{.label = "", .session = session, .runtime = whole.runtime(), .bars = {}};
    const std::size_t end = std::min(whole.end_call, whole.begin_call + kMaxSessionBars);
    chosen.bars_left_out = whole.end_call - end;
    for (std::size_t i = whole.begin_call; i < end; ++i) {
        const Call& call = graph.calls[i];
        SessionBar bar{.category = call.span->category,
                       .name = call_name(*call.span),
                       .start = call.start() - whole.start,
                       .end = call.end - whole.start,
                       .depth = call.depth,
                       .failed = call.span->error.has_value(),
                       .on_path = i < paths.on_path.size() && paths.on_path[i],
                       .first_token = {}};
        if (!call.span->token_times.empty()) bar.first_token = call.span->token_times.front() - whole.start;
        chosen.bars.push_back(std::move(bar));
    }
    return chosen;
}

}  // namespace

std::vector<ChosenSession> choose_sessions(const RunGraph& graph, const CriticalPaths& paths, std::optional<std::size_t> asked) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < graph.sessions.size(); ++i)
        if (graph.sessions[i].end_call > 0) order.push_back(i);
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
    } else if (asked && *asked < graph.sessions.size() && graph.sessions[*asked].end_call > 0) {
        chosen.insert(chosen.begin(), make_chosen_session(graph, paths, *asked));
        chosen.front().label = "asked for";
    }
    return chosen;
}

}  // namespace plimsoll::profile
