#include "profile/wasted_work.h"

#include <algorithm>
#include <map>
#include <optional>

namespace plimsoll::profile {
namespace {

std::optional<Waste> waste_of(std::span<const Call> tree, const Call& call) {
    if (!call.finished) return Waste::unfinished;
    if (call.cancelled) return Waste::cancelled;
    if (call.parent == kNoCall) return std::nullopt;
    const Call& caller = tree[call.parent];
    if (caller.finished && call.end > caller.end + kJoinSlackSeconds) return Waste::outlived;
    return std::nullopt;
}

double seconds_of(std::span<const Call> tree, const Call& call, double session_end) {
    if (call.finished) return call.duration();
    const bool caller_ended = call.parent != kNoCall && tree[call.parent].finished;
    return std::max(0.0, (caller_ended ? tree[call.parent].end : session_end) - call.start);
}

std::int64_t tokens_of(const RunGraph& graph, const Call& call) {
    const event::TokenUsage& usage = graph.usage_of(call);
    return usage.prompt_tokens + std::max<std::int64_t>(usage.completion_tokens, call.tokens);
}

}  // namespace

std::string_view to_string(Waste waste) {
    switch (waste) {
        case Waste::cancelled: return "cancelled";
        case Waste::unfinished: return "unfinished";
        case Waste::outlived: return "outlived";
    }
    return "";
}

WastedWork compute_wasted_work(const RunGraph& graph) {
    std::map<std::pair<std::uint32_t, Waste>, WasteRow> rows;
    std::int64_t all_tokens = 0;
    std::vector<WasteRow*> branch;  // that the call is part of
    for (const SessionRow& session : graph.sessions) {
        const auto tree = graph.calls_of(session);
        branch.assign(tree.size(), nullptr);
        for (std::size_t i = 0; i < tree.size(); ++i) {
            const Call& call = tree[i];
            const bool is_llm = call.category == event::Category::llm;
            const std::int64_t tokens = is_llm ? tokens_of(graph, call) : 0;
            all_tokens += tokens;
            if (call.parent != kNoCall) branch[i] = branch[call.parent];
            if (const auto why = waste_of(tree, call); why && !branch[i]) {
                WasteRow& row = rows[{call.step, *why}];
                row.step = graph.steps[call.step];
                row.why = *why;
                ++row.branches;
                row.seconds += seconds_of(tree, call, session.last_step);
                branch[i] = &row;
            }
            if (!branch[i]) continue;
            branch[i]->tokens += tokens;
            branch[i]->llm_calls += is_llm ? 1 : 0;
        }
    }
    WastedWork work;
    for (auto& [key, row] : rows) {
        work.branches += row.branches;
        work.seconds += row.seconds;
        work.tokens += row.tokens;
        work.rows.push_back(std::move(row));
    }
    if (all_tokens > 0) work.token_share = static_cast<double>(work.tokens) / static_cast<double>(all_tokens);
    std::ranges::stable_sort(work.rows, std::greater(), &WasteRow::seconds);
    return work;
}

json::value to_json(const WastedWork& work) {
    json::array rows;
    for (const WasteRow& row : work.rows)
        rows.push_back({{"step", to_string(row.step)},
                        {"why", to_string(row.why)},
                        {"branches", row.branches},
                        {"llm_calls", row.llm_calls},
                        {"seconds", row.seconds},
                        {"tokens", row.tokens}});
    return {{"branches", work.branches},
            {"seconds", work.seconds},
            {"tokens", work.tokens},
            {"token_share", work.token_share},
            {"rows", std::move(rows)}};
}

}  // namespace plimsoll::profile
