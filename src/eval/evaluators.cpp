#include "eval/evaluators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/stats.h"

namespace plimsoll::eval {
namespace {

const EvaluatorType* find_type(const std::string& type) {
    const auto& types = evaluator_types();
    const auto found = std::ranges::find(types, type, [](const EvaluatorType& candidate) { return candidate.info.type; });
    return found == types.end() ? nullptr : &*found;
}

}  // namespace

const std::vector<EvaluatorType>& evaluator_types() {
    static const std::vector<EvaluatorType> types = {
        avg_llm_latency_type(),
        avg_workflow_runtime_type(),
        avg_num_llm_calls_type(),
        avg_tokens_per_llm_end_type(),
    };
    return types;
}

Catalogue evaluator_catalogue() {
    Catalogue catalogue;
    for (const auto& type : evaluator_types()) catalogue.push_back(type.info);
    return catalogue;
}

Result<Evaluator> make_evaluator(const std::string& type, const json::object& settings) {
    const EvaluatorType* found = find_type(type);
    if (!found) return fail(ErrorCode::unsupported, fmt::format("evaluator type {} is not known", type));
    return found->make(settings);
}

int better_of(const std::string& type) {
    const EvaluatorType* found = find_type(type);
    return found ? found->better : 0;
}

EvaluatorOutput evaluate(const Evaluator& evaluator, std::span<const ItemResult> items) {
    EvaluatorOutput output;
    std::vector<double> scores;
    for (const ItemResult& item : items) {
        output.items.emplace_back(item.item.id, evaluator(item));
        scores.push_back(output.items.back().second.value);
    }
    if (!scores.empty()) output.average = round_to(mean(scores), 2);
    return output;
}

json::value to_json(const EvaluatorOutput& output) {
    json::array items;
    for (const auto& [id, score] : output.items)
        items.push_back({{"id", id}, {"score", score.value}, {"reasoning", score.reasoning}, {"error", nullptr}});
    return {{"average_score", output.average ? json::value(*output.average) : json::value(nullptr)},
            {"eval_output_items", std::move(items)}};
}

ComponentInfo runtime_evaluator_info(std::string type, std::string doc) {
    struct Settings {
        int max_concurrency = 8;
    };
    return Schema<Settings>("evaluators", std::move(type), std::move(doc))
        .field("max_concurrency", &Settings::max_concurrency, "accepted for NAT's files; the scores are computed in one pass")
        .at_least(0)
        .info();
}

double round_to(double value, int decimals) { return std::strtod(fmt::format("{:.{}f}", value, decimals).c_str(), nullptr); }

}  // namespace plimsoll::eval
