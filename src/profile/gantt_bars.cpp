#include "profile/gantt_bars.h"

#include <algorithm>
#include <limits>

namespace plimsoll::profile {

GanttBars find_earliest_bars(const RunGraph& graph, bool (*keep)(event::Category), std::size_t max_bars) {
    std::vector<double> starts;
    for (const Call& call : graph.calls)
        if (keep(call.category)) starts.push_back(call.start);
    GanttBars bars{.list = {}, .left_out = starts.size() - std::min(starts.size(), max_bars)};
    double last = std::numeric_limits<double>::infinity();
    if (bars.left_out > 0) {
        const auto last_kept = starts.begin() + static_cast<std::ptrdiff_t>(max_bars) - 1;
        std::ranges::nth_element(starts, last_kept);
        last = *last_kept;
    }
    const auto before_last = static_cast<std::size_t>(std::ranges::count_if(starts, [&](double start) { return start < last; }));
    std::size_t room_at_last = max_bars - std::min(before_last, max_bars);
    for (std::size_t session = 0; session < graph.sessions.size(); ++session)
        for (const Call& call : make_call_tree(graph, graph.sessions[session], keep)) {
            if (call.start > last || (call.start == last && room_at_last == 0)) continue;
            if (call.start == last) --room_at_last;
            bars.list.push_back({std::string(graph.uuids[call.uuid]), call.category, graph.shown_name(call), call.start, call.end, session,
                                 static_cast<int>(call.depth), call.failed});
        }
    return bars;
}

}  // namespace plimsoll::profile
