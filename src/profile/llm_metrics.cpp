#include "profile/llm_metrics.h"

#include <algorithm>
#include <unordered_map>

namespace plimsoll::profile {
namespace {

constexpr double kMsPerSecond = 1000;
constexpr event::EventType kLlmStart{event::Category::llm, event::Phase::start};
constexpr event::EventType kLlmEnd{event::Category::llm, event::Phase::end};

using CompletionTokens = std::unordered_map<std::string_view, std::int64_t>;  // by UUID

struct SessionIndex {
    std::unordered_map<std::string_view, std::vector<double>> llm_starts;  // by function name, sorted
    double end = 0;
};

void add_completion_tokens(CompletionTokens& tokens, const std::vector<event::Step>& steps) {
    for (const auto& step : steps)
        if (step.payload.event_type == kLlmEnd)
            tokens[step.payload.uuid] = step.payload.usage_info ? step.payload.usage_info->token_usage.completion_tokens : 0;
}

SessionIndex index_session(const std::vector<event::Step>& steps) {
    SessionIndex index;
    for (const auto& step : steps) {
        const auto& payload = step.payload;
        index.end = &step == &steps.front() ? payload.event_timestamp : std::max(index.end, payload.event_timestamp);
        if (payload.event_type == kLlmStart) index.llm_starts[step.function_ancestry.function_name].push_back(payload.event_timestamp);
    }
    for (auto& [name, starts] : index.llm_starts) std::ranges::sort(starts);
    return index;
}

StepOutlook look_ahead(const event::Step& step, const SessionIndex& index, const CompletionTokens& completion_tokens) {
    StepOutlook outlook;
    const double now = step.payload.event_timestamp;
    if (const auto group = index.llm_starts.find(step.function_ancestry.function_name); group != index.llm_starts.end()) {
        const auto& starts = group->second;
        const auto next = std::ranges::upper_bound(starts, now);
        outlook.requests_remaining = starts.end() - next;
        if (next != starts.end()) {
            outlook.time_to_next_ms = (*next - now) * kMsPerSecond;
            outlook.time_to_event_end_ms = (starts.back() - now) * kMsPerSecond;
        }
    }
    if (step.payload.event_type == kLlmStart) {
        const auto tokens = completion_tokens.find(step.payload.uuid);
        if (tokens != completion_tokens.end()) outlook.output_tokens = tokens->second;
    }
    outlook.time_to_session_end_ms = (index.end - now) * kMsPerSecond;
    return outlook;
}

}  // namespace

LlmMetrics compute_llm_metrics(const TraceView& view, UuidScope scope) {
    LlmMetrics metrics;
    CompletionTokens tokens;
    if (scope == UuidScope::run)
        for (const auto& session : view.sessions) add_completion_tokens(tokens, session.steps);
    for (const auto& session : view.sessions) {
        const SessionIndex index = index_session(session.steps);
        metrics.has_llm_start = metrics.has_llm_start || !index.llm_starts.empty();
        if (scope == UuidScope::session) {
            tokens.clear();
            add_completion_tokens(tokens, session.steps);
        }
        auto& outlooks = metrics.sessions.emplace_back();
        outlooks.reserve(session.steps.size());
        for (const auto& step : session.steps) outlooks.push_back(look_ahead(step, index, tokens));
    }
    return metrics;
}

}  // namespace plimsoll::profile
