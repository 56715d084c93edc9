// Evaluators score the items of a run; each is one file with a descriptor, and one line in evaluator_types(). They are pure functions of
// what was recorded and run after the raw output is on the disk.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/schema.h"
#include "eval/runner.h"

namespace plimsoll::eval {

struct Score {
    double value = 0;
    json::value reasoning;
};
using Evaluator = std::function<Score(const ItemResult&)>;

struct EvaluatorType {
    ComponentInfo info;  // section "evaluators"
    // From checked settings. Errors: config.
    std::function<Result<Evaluator>(const json::object& settings)> make;
    int better = 1;  // 1: higher scores are better, -1: lower ones, 0: neither
};

// Seconds an answered LLM call took, mean, rounded to 4 decimals; {num_llm_calls, latencies}.
EvaluatorType avg_llm_latency_type();
// Seconds from the session's first step to its last, rounded to 4 decimals; {steps}.
EvaluatorType avg_workflow_runtime_type();
// Answered LLM calls, those without a token count included; {num_llm_calls}.
EvaluatorType avg_num_llm_calls_type();
// Prompt and completion tokens of an answered call, mean, rounded to 2 decimals; {num_llm_calls, totals}.
EvaluatorType avg_tokens_per_llm_end_type();

const std::vector<EvaluatorType>& evaluator_types();
Catalogue evaluator_catalogue();

// Errors: unsupported for an unknown type, config.
Result<Evaluator> make_evaluator(const std::string& type, const json::object& settings);

// EvaluatorType::better; 0 for an unknown type.
int better_of(const std::string& type);

struct EvaluatorOutput {
    std::optional<double> average;                     // mean of the scores rounded to 2 decimals, half to even; nothing without items
    std::vector<std::pair<json::value, Score>> items;  // id and score, in the run's order
};
EvaluatorOutput evaluate(const Evaluator& evaluator, std::span<const ItemResult> items);
json::value to_json(const EvaluatorOutput& output);  // <name>_output.json

// Description of an evaluator whose only field is NAT's max_concurrency.
ComponentInfo runtime_evaluator_info(std::string type, std::string doc);

// As Python's round(): to the nearest decimal of the binary value, half to even.
double round_to(double value, int decimals);

}  // namespace plimsoll::eval
