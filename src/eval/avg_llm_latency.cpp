#include "base/stats.h"
#include "eval/evaluators.h"

namespace plimsoll::eval {
namespace {

Score score_latency(const ItemResult& item) {
    const std::vector<double> latencies = llm_latencies(item.steps);
    return {round_to(mean(latencies), 4),
            {{"num_llm_calls", latencies.size()}, {"latencies", json::array(latencies.begin(), latencies.end())}}};
}

}  // namespace

EvaluatorType avg_llm_latency_type() {
    return {runtime_evaluator_info("avg_llm_latency", "mean seconds of an LLM call"), [](const json::object&) { return score_latency; },
            -1};
}

}  // namespace plimsoll::eval
