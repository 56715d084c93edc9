#include "profile/wasted_work.h"

#include <algorithm>
#include <map>
#include <optional>

namespace plimsoll::profile {
namespace {

std::optional<Waste> waste_of(const RunGraph& graph, const Call& call) {
    if (!call.span->finished) return Waste::unfinished;
    if (call.span->error && call.span->error->code == ErrorCode::cancelled) return Waste::cancelled;
    if (!call.parent) return std::nullopt;
    const Call& caller = graph.calls[*call.parent];
    if (caller.span->finished && call.end > caller.end + kJoinSlackSeconds) return Waste::outlived;
    return std::nullopt;
}

double seconds_of(const RunGraph& graph, const Call& call) {
    if (call.span->finished) return call.duration();
    const bool caller_ended = call.parent && graph.calls[*call.parent].span->finished;
    const double until = caller_ended ? graph.calls[*call.parent].end : graph.sessions[call.session].end;
    return std::max(0.0, until - call.start());
}

std::int64_t tokens_of(const event::Span& span) {
    return span.usage.prompt_tokens + std::max(span.usage.completion_tokens, static_cast<std::int64_t>(span.token_times.size()));
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
    std::map<std::pair<std::size_t, Waste>, WasteRow> rows;
    std::vector<WasteRow*> branch(graph.calls.size(), nullptr);  // that the call is part of
    std::int64_t all_tokens = 0;
    for (std::size_t i = 0; i < graph.calls.size(); ++i) {
        const Call& call = graph.calls[i];
        const bool is_llm = call.span->category == event::Category::llm;
        const std::int64_t tokens = is_llm ? tokens_of(*call.span) : 0;
        all_tokens += tokens;
        if (call.parent) branch[i] = branch[*call.parent];
        if (const auto why = waste_of(graph, call); why && !branch[i]) {
            WasteRow& row = rows[{graph.step_of[i], *why}];
            row.step = graph.steps[graph.step_of[i]];
            row.why = *why;
            ++row.branches;
            row.seconds += seconds_of(graph, call);
            branch[i] = &row;
        }
        if (!branch[i]) continue;
        branch[i]->tokens += tokens;
        branch[i]->llm_calls += is_llm ? 1 : 0;
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
