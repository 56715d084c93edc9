// What users are promised, as text, and whether a measured concurrency keeps it.
//
//   rule  = stat metric "<" number unit?  |  "error_rate" "<" number "%"
//   stat  = p50 | p90 | p95 | p99 | mean | max
//   metric = workflow (a session from its start to its end) | llm (a model call)
//   unit  = ms | s | min; seconds when there is none. "<=" may stand for "<".
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "forecast/sample_summary.h"

namespace plimsoll::forecast {

struct SloRule {
    enum class Metric : std::uint8_t { workflow, llm, error_rate };
    Metric metric = Metric::workflow;
    double SampleSummary::* stat = &SampleSummary::p95;
    double limit = 0;  // seconds, or a share of 1
    std::string text;  // as written
};

// Errors: invalid_argument, with the grammar.
Result<SloRule> parse_slo_rule(std::string_view text);

}  // namespace plimsoll::forecast
