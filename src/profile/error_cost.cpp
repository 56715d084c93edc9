#include "profile/error_cost.h"

#include <algorithm>

namespace plimsoll::profile {
namespace {

bool failed(const event::Span& span) { return span.error && span.error->code != ErrorCode::cancelled; }

std::int64_t tokens_of(const event::Span& span) { return span.usage.prompt_tokens + span.usage.completion_tokens; }

const json::value& input_of(const event::Span& span, const event::SessionTrace& session) {
    static const json::value kNothing;
    const auto& data = session.steps[span.start_step].payload.data;
    return data ? data->input : kNothing;
}

std::size_t extra_attempts_of(const event::Span& span, const event::SessionTrace& session) {
    if (!span.end_step) return 0;
    const json::value& metadata = session.steps[*span.end_step].payload.metadata;
    if (const auto attempts = get_int(metadata, "attempts"); attempts && *attempts > 1) return static_cast<std::size_t>(*attempts - 1);
    if (const auto retries = get_int(metadata, "retries"); retries && *retries > 0) return static_cast<std::size_t>(*retries);
    return 0;
}

// A repetition follows its failure closely; a caller with more calls in between is not searched further, so that one with
// thousands of failures stays cheap.
constexpr std::size_t kMaxCallsBetween = 256;

// Marks the calls of one caller that repeat a failed sibling.
void mark_repeats(const TraceView& view, const RunGraph& graph, const std::vector<std::size_t>& siblings, std::vector<bool>& repeats) {
    for (std::size_t i = 0; i < siblings.size(); ++i) {
        const Call& first = graph.calls[siblings[i]];
        if (!failed(*first.span)) continue;
        const auto& session = view.sessions[first.session];
        const std::size_t until = std::min(siblings.size(), i + 1 + kMaxCallsBetween);
        for (std::size_t j = i + 1; j < until; ++j) {
            const Call& next = graph.calls[siblings[j]];
            const bool same = graph.step_of[siblings[i]] == graph.step_of[siblings[j]] && next.start() >= first.end &&
                              input_of(*first.span, session) == input_of(*next.span, session);
            if (!same) continue;
            repeats[siblings[j]] = true;
            break;
        }
    }
}

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

ErrorCost compute_error_cost(const TraceView& view, const RunGraph& graph) {
    std::vector<bool> repeats(graph.calls.size());
    for (const SessionGraph& session : graph.sessions) mark_repeats(view, graph, session.roots, repeats);
    for (const auto& children : graph.children) mark_repeats(view, graph, children, repeats);

    ErrorCost cost;
    std::vector<ErrorCostRow> rows(graph.steps.size());
    std::vector<bool> inside_retried(graph.calls.size());  // a retried call's own calls are in its time already
    for (std::size_t i = 0; i < graph.calls.size(); ++i) {
        const Call& call = graph.calls[i];
        ErrorCostRow& row = rows[graph.step_of[i]];
        ++row.calls;
        if (failed(*call.span)) {
            ++row.failed;
            row.failed_seconds += call.self_time;
            row.failed_tokens += tokens_of(*call.span);
            if (call.span->category == event::Category::workflow) ++cost.failed_sessions;
        }
        const std::size_t extra = extra_attempts_of(*call.span, view.sessions[call.session]);
        const bool within = call.parent && inside_retried[*call.parent];
        inside_retried[i] = within || repeats[i] || extra > 0;
        if (repeats[i]) row.retried_tokens += tokens_of(*call.span);
        if (!repeats[i] && extra == 0) continue;
        ++row.retried;
        row.extra_attempts += extra + (repeats[i] ? 1 : 0);
        if (!within) row.retried_seconds += call.duration();
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
