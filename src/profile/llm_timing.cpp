#include "profile/llm_timing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

namespace plimsoll::profile {
namespace {

struct Samples {
    std::size_t calls = 0;
    std::vector<double> first_tokens, rates, queueing;
    std::vector<float> gaps;

    void add(const Call& call, std::int64_t completion_tokens, std::span<const float> token_gaps) {
        ++calls;
        if (!std::isnan(call.queued)) queueing.push_back(call.queued);
        if (call.tokens > 0) first_tokens.push_back(std::max(0.0, call.first_token - call.start));
        gaps.insert(gaps.end(), token_gaps.begin(), token_gaps.end());
        if (completion_tokens > 0 && call.duration() > 0) rates.push_back(static_cast<double>(completion_tokens) / call.duration());
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
                        .itl = make_distribution({samples.gaps.begin(), samples.gaps.end()}),
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

LlmTimings compute_llm_timings(const RunGraph& graph) {
    Groups models, functions;
    std::vector<double> sessions;
    std::size_t next_gap = 0;
    for (const Call& call : graph.calls) {
        const auto gaps = std::span(graph.token_gaps).subspan(next_gap, call.tokens > 0 ? call.tokens - 1 : 0);
        next_gap += gaps.size();
        if (call.category == event::Category::workflow && !std::isnan(call.queued)) sessions.push_back(call.queued);
        if (call.category != event::Category::llm || !call.succeeded()) continue;
        const std::int64_t tokens = graph.usage_of(call).completion_tokens;
        models[graph.name_of(call)].add(call, tokens, gaps);
        functions[graph.names[call.function]].add(call, tokens, gaps);
    }
    return {make_rows(std::move(models)), make_rows(std::move(functions)), make_distribution(std::move(sessions))};
}

json::value to_json(const LlmTimings& timings) {
    return {{"models", rows_json(timings.models)},
            {"functions", rows_json(timings.functions)},
            {"session_queueing", to_json(timings.session_queueing)}};
}

}  // namespace plimsoll::profile
