#include "profile/llm_metrics.h"

#include <algorithm>
#include <unordered_map>

namespace plimsoll::profile {
namespace {

constexpr double kMsPerSecond = 1000;
constexpr event::EventType kLlmStart{event::Category::llm, event::Phase::start};
constexpr event::EventType kLlmEnd{event::Category::llm, event::Phase::end};

struct SessionIndex {
    std::unordered_map<std::string_view, std::vector<double>> llm_starts;  // by function name, sorted
    double end = 0;
};

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

StepOutlook look_ahead(const event::Step& step, const SessionIndex& index, const CompletionTokens& tokens) {
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
    if (step.payload.event_type == kLlmStart) outlook.output_tokens = tokens.find(step.payload.uuid);
    outlook.time_to_session_end_ms = (index.end - now) * kMsPerSecond;
    return outlook;
}

}  // namespace

void CompletionTokens::add(const std::vector<event::Step>& steps) {
    for (const auto& step : steps)
        if (step.payload.event_type == kLlmEnd)
            entries_.push_back(
                {hash_of(step.payload.uuid), step.payload.usage_info ? step.payload.usage_info->token_usage.completion_tokens : 0});
}

void CompletionTokens::sort() {
    std::ranges::stable_sort(entries_, {}, &Entry::uuid);
    // Of equal ones the last.
    const auto kept = std::ranges::unique(entries_.rbegin(), entries_.rend(), {}, &Entry::uuid).begin().base();
    entries_.erase(entries_.begin(), kept);
}

std::optional<std::int64_t> CompletionTokens::find(std::string_view uuid) const {
    const auto found = std::ranges::lower_bound(entries_, hash_of(uuid), {}, &Entry::uuid);
    if (found == entries_.end() || found->uuid != hash_of(uuid)) return std::nullopt;
    return found->tokens;
}

std::vector<StepOutlook> compute_outlooks(const std::vector<event::Step>& steps, const CompletionTokens* of_run) {
    CompletionTokens of_session;
    if (!of_run) {
        of_session.add(steps);
        of_session.sort();
    }
    const SessionIndex index = index_session(steps);
    std::vector<StepOutlook> outlooks;
    outlooks.reserve(steps.size());
    for (const auto& step : steps) outlooks.push_back(look_ahead(step, index, of_run ? *of_run : of_session));
    return outlooks;
}

}  // namespace plimsoll::profile
