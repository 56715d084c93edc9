#include "profile/error_cost.h"

#include <algorithm>

namespace plimsoll::profile {
namespace {

void add(ErrorCostRow& total, const ErrorCostRow& row) {
    total.calls += row.calls;
    total.failed += row.failed;
    total.failed_seconds += row.failed_seconds;
    total.failed_tokens += row.failed_tokens;
    total.retried += row.retried;
    total.extra_attempts += row.extra_attempts;
    total.retried_seconds += row.retried_seconds;
    total.retried_tokens += row.retried_tokens;
}

json::object to_json(const ErrorCostRow& row) {
    return {{"calls", row.calls},
            {"failed", row.failed},
            {"failed_seconds", row.failed_seconds},
            {"failed_tokens", row.failed_tokens},
            {"retried", row.retried},
            {"extra_attempts", row.extra_attempts},
            {"retried_seconds", row.retried_seconds},
            {"retried_tokens", row.retried_tokens}};
}

}  // namespace

ErrorCost compute_error_cost(const RunGraph& graph) {
    ErrorCost cost;
    std::vector<ErrorCostRow> rows(graph.steps.size());
    std::vector<bool> inside_retried;  // a retried call's own calls are in its time already
    for (const SessionRow& session : graph.sessions) {
        const auto tree = graph.calls_of(session);
        inside_retried.assign(tree.size(), false);
        for (std::size_t i = 0; i < tree.size(); ++i) {
            const Call& call = tree[i];
            const std::int64_t tokens = graph.usage_of(call).prompt_tokens + graph.usage_of(call).completion_tokens;
            ErrorCostRow& row = rows[call.step];
            ++row.calls;
            if (call.failed && !call.cancelled) {
                ++row.failed;
                row.failed_seconds += call.self_time;
                row.failed_tokens += tokens;
                if (call.category == event::Category::workflow) ++cost.failed_sessions;
            }
            const bool within = call.parent != kNoCall && inside_retried[call.parent];
            inside_retried[i] = within || call.repeats || call.extra_attempts > 0;
            if (call.repeats) row.retried_tokens += tokens;
            if (!call.repeats && call.extra_attempts == 0) continue;
            ++row.retried;
            row.extra_attempts += call.extra_attempts + (call.repeats ? 1 : 0);
            if (!within) row.retried_seconds += call.duration();
        }
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        add(cost.total, rows[i]);
        rows[i].step = graph.steps[i];
        if (rows[i].failed + rows[i].retried > 0) cost.steps.push_back(std::move(rows[i]));
    }
    std::ranges::stable_sort(cost.steps, std::greater(), [](const ErrorCostRow& row) { return row.failed_seconds + row.retried_seconds; });
    return cost;
}

json::value to_json(const ErrorCost& cost) {
    json::array steps;
    for (const ErrorCostRow& row : cost.steps) {
        json::object entry = to_json(row);
        entry["step"] = to_string(row.step);
        steps.push_back(std::move(entry));
    }
    return {{"failed_sessions", cost.failed_sessions}, {"total", to_json(cost.total)}, {"steps", std::move(steps)}};
}

}  // namespace plimsoll::profile
