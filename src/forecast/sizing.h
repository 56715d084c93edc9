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

namespace plimsoll::forecast {

struct ItemMetrics {
    double llm_latency = 0;       // p95 of the item's calls, seconds
    double workflow_runtime = 0;  // seconds
};

// One measured concurrency.
struct LegResult {
    int concurrency = 0;
    double llm_latency_p95 = 0;       // seconds; 0: not measured
    double workflow_runtime_p95 = 0;  // seconds; 0: not measured
    double total_runtime = 0;         // seconds
    std::map<std::string, ItemMetrics> items;
    bool interrupted = false;
    int failed = 0;    // sessions
    int sessions = 0;  // all of them
};

// 0 = no target.
struct Targets {
    double llm_latency = 0;       // p95, seconds
    double workflow_runtime = 0;  // p95, seconds
    int users = 0;
};

struct SizingInput {
    std::vector<LegResult> legs;  // in the order they ran
    Targets targets;
    int gpus = 0;
    FitRules rules = FitRules::plimsoll;
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

struct LegSizing {
    LegResult leg;
    bool usable = false;  // finished, with both metrics
    bool outlier_llm_latency = false, outlier_workflow_runtime = false;
    int items_over_llm_latency = 0, items_over_workflow_runtime = 0;
    std::optional<double> gpus_by_llm_latency, gpus_by_workflow_runtime;  // rough
};

struct SizingResult {
    Targets targets;
    int gpus = 0;
    std::vector<LegSizing> legs;
    MetricSizing llm_latency, workflow_runtime;
    std::string extrapolation;          // how far the answer reaches beyond what was measured
    std::vector<std::string> warnings;  // too few samples, failed sessions
};

// 59 samples make it 95 % sure that at least one lies above the true p95: 1 - 0.95^59 > 0.95.
inline constexpr int kMinSamplesForP95 = 59;

SizingResult compute_sizing(const SizingInput& input);

}  // namespace plimsoll::forecast
