#include <fmt/format.h>

#include "forecast/forecast.h"
#include "forecast/slo_rule.h"

namespace plimsoll::forecast {

Result<Slo> parse_slo(std::string_view text) {
    const auto rule = parse_slo_rule(text);
    if (!rule) return fail(rule.error());
    if (rule->metric == SloRule::Metric::error_rate || rule->stat != &SampleSummary::p95)
        return fail(ErrorCode::invalid_argument, fmt::format("\"{}\": only the p95 of workflow or llm is forecast", text));
    return Slo{rule->metric == SloRule::Metric::llm ? Slo::Metric::llm : Slo::Metric::workflow, rule->limit};
}

}  // namespace plimsoll::forecast
