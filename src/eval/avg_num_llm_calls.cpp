#include "eval/evaluators.h"

namespace plimsoll::eval {
namespace {

Score score_calls(const ItemResult& item) {
    const std::size_t calls = answered_llm_calls(item.steps).size();
    return {static_cast<double>(calls), {{"num_llm_calls", calls}}};
}

}  // namespace

EvaluatorType avg_num_llm_calls_type() {
    return {runtime_evaluator_info("avg_num_llm_calls", "LLM calls of a session"), [](const json::object&) { return score_calls; }, 0};
}

}  // namespace plimsoll::eval
