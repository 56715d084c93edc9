#include "profile/chosen_sessions.h"

#include <algorithm>
#include <cmath>

namespace plimsoll::profile {
namespace {

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

}  // namespace plimsoll::profile
