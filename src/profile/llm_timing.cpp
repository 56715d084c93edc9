#include "profile/llm_timing.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace plimsoll::profile {
namespace {

struct Samples {
    std::size_t calls = 0;
    std::vector<double> first_tokens, gaps, rates, queueing;

    void add(const event::Span& span, std::optional<double> queued) {
        ++calls;
        if (queued) queueing.push_back(*queued);
        if (const auto ttft = span.ttft()) first_tokens.push_back(std::max(0.0, *ttft));
        for (std::size_t i = 1; i < span.token_times.size(); ++i)
            gaps.push_back(std::max(0.0, span.token_times[i] - span.token_times[i - 1]));
        if (span.usage.completion_tokens > 0 && latency(span) > 0)
            rates.push_back(static_cast<double>(span.usage.completion_tokens) / latency(span));
    }
};

using Groups = std::map<std::string, Samples, std::less<>>;

std::vector<LlmTiming> make_rows(Groups groups) {
    std::vector<LlmTiming> rows;
    rows.reserve(groups.size());
    for (auto& [name, samples] : groups)
        rows.push_back({.name = name,
                        .calls = samples.calls,
                        .ttft = make_distribution(std::move(samples.first_tokens)),
                        .itl = make_distribution(std::move(samples.gaps)),
                        .tokens_per_s = make_distribution(std::move(samples.rates)),
                        .queueing = make_distribution(std::move(samples.queueing))});
    return rows;
}

json::array rows_json(const std::vector<LlmTiming>& rows) {
    json::array out;
    for (const LlmTiming& row : rows)
        out.push_back({{"name", row.name},
                       {"calls", row.calls},
                       {"ttft", to_json(row.ttft)},
                       {"itl", to_json(row.itl)},
                       {"tokens_per_s", to_json(row.tokens_per_s)},
                       {"queueing", to_json(row.queueing)}});
    return out;
}

}  // namespace

std::optional<double> queueing_seconds(const event::Span& span, const event::SessionTrace& session) {
    constexpr std::string_view kKey = event::kIntendedStart;
    const json::value& metadata = session.steps[span.start_step].payload.metadata;
    auto intended = get_number(metadata, kKey);
    if (const auto* provided = find(metadata, "provided_metadata"); !intended && provided) intended = get_number(*provided, kKey);
    if (!intended || std::abs(*intended) > event::kMaxTime) return std::nullopt;
    return std::max(0.0, span.start - *intended);
}

LlmTimings compute_llm_timings(const TraceView& view) {
    Groups models, functions;
    std::vector<double> sessions;
    for (std::size_t i = 0; i < view.spans.size(); ++i)
        for (const event::Span& span : view.spans[i].spans) {
            const auto queued = queueing_seconds(span, view.sessions[i]);
            if (span.category == event::Category::workflow && queued) sessions.push_back(*queued);
            if (span.category != event::Category::llm || !succeeded(span)) continue;
            models[span.name].add(span, queued);
            functions[span.function.function_name].add(span, queued);
        }
    return {make_rows(std::move(models)), make_rows(std::move(functions)), make_distribution(std::move(sessions))};
}

json::value to_json(const LlmTimings& timings) {
    return {{"models", rows_json(timings.models)},
            {"functions", rows_json(timings.functions)},
            {"session_queueing", to_json(timings.session_queueing)}};
}

}  // namespace plimsoll::profile
