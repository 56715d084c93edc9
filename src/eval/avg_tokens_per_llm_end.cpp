#include "base/stats.h"
#include "eval/evaluators.h"

namespace plimsoll::eval {
namespace {

// Prompt and completion, or the total where a provider reports only that.
std::int64_t tokens_of(const event::Step& end) {
    if (!end.payload.usage_info) return 0;
    const event::TokenUsage& usage = end.payload.usage_info->token_usage;
    const std::int64_t parts = usage.prompt_tokens + usage.completion_tokens;
    return parts > 0 ? parts : usage.total_tokens;
}

Score score_tokens(const ItemResult& item) {
    json::array totals;
    std::vector<double> values;
    for (const event::Step* end : answered_llm_calls(item.steps)) {
        totals.push_back(tokens_of(*end));
        values.push_back(static_cast<double>(tokens_of(*end)));
    }
    const std::size_t calls = totals.size();
    return {round_to(mean(values), 2), {{"num_llm_calls", calls}, {"totals", std::move(totals)}}};
}

}  // namespace

EvaluatorType avg_tokens_per_llm_end_type() {
    return {runtime_evaluator_info("avg_tokens_per_llm_end", "mean tokens of an LLM call"),
            [](const json::object&) { return score_tokens; }, 0};
}

}  // namespace plimsoll::eval
