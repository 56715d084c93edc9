// How many GPUs N users need, from a ladder of measured concurrencies: NAT's linear answer, with what it leaves unsaid.
//
//   SizingResult result = compute_sizing({legs, {.llm_latency = 2, .users = 200}, 8});
//   save_file(folder / "calc_runner_output.json", to_pretty_json(to_json(result)));
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "forecast/gpu_estimate.h"
#include "forecast/linear_fit.h"
#include "forecast/sample_summary.h"
#include "forecast/score_trend.h"
#include "forecast/slo_rule.h"

namespace plimsoll::forecast {

struct ItemMetrics {
    double llm_latency = 0;       // p95 of the item's calls, seconds
    double workflow_runtime = 0;  // seconds
};

// What NAT's numbers leave unsaid about a leg. Only sessions that finished have times.
struct LegStatistics {
    int runs = 1;
    SampleSummary workflow_runtime;  // seconds, over sessions
    SampleSummary llm_latency;       // seconds, over model calls, grouped by session
    double prompt_tokens_per_second = 0, completion_tokens_per_second = 0;
    std::map<std::string, SampleSummary> scores;          // of each evaluator, over sessions that finished
    std::map<std::string, SessionScores> session_scores;  // of each evaluator
    std::map<std::string, int> better;                    // of each evaluator, as in ScoreTrend
    std::vector<std::string> findings;                    // what held it back, of all runs
    std::string config;                                   // equal for legs of the same one; empty: not known
};

// One measured concurrency.
struct LegResult {
    int concurrency = 0;
    double llm_latency_p95 = 0;       // seconds; 0: not measured
    double workflow_runtime_p95 = 0;  // seconds; 0: not measured
    double total_runtime = 0;         // seconds
    std::map<std::string, ItemMetrics> items;
    bool interrupted = false;
    int failed = 0;                           // sessions
    int sessions = 0;                         // all of them
    std::optional<LegStatistics> statistics;  // nothing for a file of NAT's

    double error_rate() const { return sessions > 0 ? static_cast<double>(failed) / sessions : 0; }
    double sessions_per_second() const { return total_runtime > 0 ? (sessions - failed) / total_runtime : 0; }  // that finished
};

// 0 = no target.
struct Targets {
    double llm_latency = 0;       // p95, seconds
    double workflow_runtime = 0;  // p95, seconds
    int users = 0;
};

struct SizingInput {
    std::vector<LegResult> legs;  // in the order of the answer
    Targets targets;
    int gpus = 0;
    FitRules rules = FitRules::plimsoll;
    std::vector<SloRule> slo;  // all of them are to be kept
};

// A line through all legs but the highest, asked for the highest.
struct HeldOutCheck {
    int concurrency = 0;
    double predicted = 0, measured = 0;  // seconds
    double relative_error() const { return predicted / measured - 1; }
};

// The answer by one metric.
struct MetricSizing {
    std::optional<LinearFit> fit;
    std::optional<GpuEstimate> estimate;
    std::string reason;                    // why there is no fit or no estimate; empty when there is one or none was asked for
    std::optional<HeldOutCheck> held_out;  // with four legs or more
};

// A leg against the SLO. A session is good when it finished and no limit for workflow or llm (its own p95) is exceeded by it.
struct SloOutcome {
    bool kept = false;
    std::vector<double> observed;  // for each rule
    int good_sessions = 0;
    double goodput = 0;  // good sessions per second
};
SloOutcome evaluate_slo(const std::vector<SloRule>& rules, const LegResult& leg);

struct LegSizing {
    LegResult leg;
    bool usable = false;  // finished, with both metrics
    bool outlier_llm_latency = false, outlier_workflow_runtime = false;
    int items_over_llm_latency = 0, items_over_workflow_runtime = 0;
    std::optional<double> gpus_by_llm_latency, gpus_by_workflow_runtime;  // rough
    std::optional<SloOutcome> slo;                                        // nothing without an SLO
};

struct SizingResult {
    Targets targets;
    int gpus = 0;
    std::vector<SloRule> slo;
    std::vector<LegSizing> legs;
    MetricSizing llm_latency, workflow_runtime;
    std::optional<int> knee;        // of throughput over concurrency (find_knee)
    std::string throughput_answer;  // the knee as a sentence
    std::vector<ScoreTrend> score_trends;
    std::string slo_answer;             // up to which concurrency the SLO is kept; empty without one
    std::string extrapolation;          // how far the answer reaches beyond what was measured
    std::vector<std::string> warnings;  // too few samples, failed sessions
};

SizingResult compute_sizing(const SizingInput& input);

}  // namespace plimsoll::forecast
