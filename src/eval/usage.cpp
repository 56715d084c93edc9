#include "eval/usage.h"

#include <algorithm>
#include <unordered_map>

#include "base/stats.h"

namespace plimsoll::eval {
namespace {

using event::Category;
using event::Phase;

std::string llm_name(const event::Step& end) {
    if (end.payload.name && !end.payload.name->empty()) return *end.payload.name;
    return end.function_ancestry.function_name.empty() ? "unknown" : end.function_ancestry.function_name;
}

}  // namespace

std::vector<const event::Step*> answered_llm_calls(std::span<const event::Step> steps) {
    std::vector<const event::Step*> calls;
    for (const auto& step : steps)
        if (step.payload.event_type == event::EventType{Category::llm, Phase::end} && !event::step_error(step)) calls.push_back(&step);
    return calls;
}

std::vector<double> llm_latencies(std::span<const event::Step> steps) {
    std::unordered_map<std::string_view, double> starts;
    for (const auto& step : steps)
        if (step.payload.event_type == event::EventType{Category::llm, Phase::start})
            starts[step.payload.uuid] = step.payload.event_timestamp;
    std::vector<double> latencies;
    for (const event::Step* end : answered_llm_calls(steps)) {
        const auto start = starts.find(end->payload.uuid);
        if (end->payload.span_event_timestamp)
            latencies.push_back(std::max(0.0, end->payload.event_timestamp - *end->payload.span_event_timestamp));
        else if (start != starts.end())
            latencies.push_back(std::max(0.0, end->payload.event_timestamp - start->second));
    }
    return latencies;
}

UsageStats compute_usage(std::span<const event::Step> steps) {
    UsageStats usage;
    if (steps.empty()) return usage;
    for (const event::Step& step : steps) {
        if (step.payload.event_type != event::EventType{Category::llm, Phase::end}) continue;
        if (auto error = event::step_error(step)) usage.failed_calls.push_back(*std::move(error));
    }
    for (const event::Step* end : answered_llm_calls(steps)) {
        ++usage.answered_calls;
        event::TokenUsage& tokens = usage.per_llm[llm_name(*end)];
        if (!end->payload.usage_info) continue;
        tokens += end->payload.usage_info->token_usage;
        usage.total_tokens += end->payload.usage_info->token_usage.total_tokens;
    }
    const auto [first, last] = std::ranges::minmax_element(steps, {}, [](const event::Step& step) { return step.payload.event_timestamp; });
    usage.min_timestamp = first->payload.event_timestamp;
    usage.max_timestamp = last->payload.event_timestamp;
    usage.runtime = usage.max_timestamp - usage.min_timestamp;
    usage.llm_latency = percentile(llm_latencies(steps), 95);
    return usage;
}

double total_runtime(std::span<const UsageStats> sessions) {
    double first = 0;
    double last = 0;
    for (const UsageStats& session : sessions) {
        if (session.max_timestamp == 0) continue;
        first = first == 0 ? session.min_timestamp : std::min(first, session.min_timestamp);
        last = std::max(last, session.max_timestamp);
    }
    return last - first;
}

}  // namespace plimsoll::eval
