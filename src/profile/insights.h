// Everything the profile has beyond NAT's analyses, computed from one graph of the run; each part goes through the
// AnalysisRunner by itself; one that fails stays empty, and so does what needs its result.
#pragma once

#include <optional>
#include <vector>

#include "profile/analysis_runner.h"
#include "profile/chosen_sessions.h"
#include "profile/cold_start.h"
#include "profile/critical_path.h"
#include "profile/error_cost.h"
#include "profile/flame_graph.h"
#include "profile/llm_timing.h"
#include "profile/load_curve.h"
#include "profile/token_cost.h"
#include "profile/variation.h"
#include "profile/wasted_work.h"
#include "profile/what_if.h"

namespace plimsoll::profile {

struct InsightSettings {
    PriceTable prices;                   // empty: no costs
    std::optional<int> spike_threshold;  // nothing: see make_load_curve
    std::optional<std::size_t> session;  // also among chosen_sessions
};

struct Insights {
    LlmTimings llm_timing;
    CriticalPaths critical_path;
    WhatIf what_if;
    ErrorCost error_cost;
    std::optional<TokenCost> token_cost;
    ColdStart cold_start;
    Variation variation;
    WastedWork wasted_work;
    Histogram prompt_tokens, completion_tokens;  // a call, of the LLM calls that reported any
    FlameGraph flame;
    LoadCurve load;  // LLM and tool calls in flight
    std::vector<ChosenSession> chosen_sessions;
};

// Nothing in the result points into `graph`.
Insights compute_insights(const RunGraph& graph, const InsightSettings& settings, AnalysisRunner& runner);

// A member an analysis, as profile.json has them; without pictures' data. Of one that failed in `runner` its error.
json::object to_json(const Insights& insights, const AnalysisRunner& runner);

}  // namespace plimsoll::profile
