#include "eval/evaluators.h"

namespace plimsoll::eval {
namespace {

Score score_runtime(const ItemResult& item) { return {round_to(compute_usage(item.steps).runtime, 4), {{"steps", item.steps.size()}}}; }

}  // namespace

EvaluatorType avg_workflow_runtime_type() {
    return {runtime_evaluator_info("avg_workflow_runtime", "seconds from a session's first step to its last"),
            [](const json::object&) { return score_runtime; }, -1};
}

}  // namespace plimsoll::eval
