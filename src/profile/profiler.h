// Profiles the traces of a run: NAT's artefacts in NAT's shapes, and typed results for reports. Pure: reads no file, and writes to what it
// is given. Calls pair by UUID and nest by parent, so that parallel work is measured as what it is; failed calls count as errors
// and stay out of latencies.
//
//   auto config = parse_profiler_config(settings);
//   ArtefactFolder folder("out");
//   auto result = profile(source, {}, *config, folder);     // sessions one at a time, see docs/adr/0010
//   ProfileResult in_memory = profile({std::move(traces)}, *config);
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "event/trace.h"
#include "profile/analysis_runner.h"
#include "profile/artefacts.h"
#include "profile/common_prefixes.h"
#include "profile/confidence.h"
#include "profile/distribution.h"
#include "profile/dynamo_metrics.h"
#include "profile/gantt_bars.h"
#include "profile/insights.h"
#include "profile/profiler_config.h"
#include "profile/step_latency.h"

namespace plimsoll::profile {

// Asks the network, which the profiler does not: the settings have the run's window.
using DynamoFetch = std::function<DynamoMetrics(const DynamoSettings& settings)>;

struct ProfileResult {
    // all_requests_profiler_traces.json, standardized_data_all.csv, inference_optimization.json, llm_calls.csv and profile.json always;
    // workflow_profiling_metrics.json and workflow_profiling_report.txt when an analysis that writes into them is on.
    std::vector<Artefact> artefacts;  // unless they went elsewhere

    std::size_t sessions = 0, steps = 0;
    Distribution session_runtime;                 // seconds, of the sessions with steps
    std::optional<Percentiles> workflow_runtime;  // seconds; when base_metrics or workflow_runtime_forecast is on
    ConfidenceInterval workflow_runtime_ci;       // seconds
    ConfidenceInterval llm_latency_ci;            // seconds
    ConfidenceInterval throughput_ci;             // sessions per second

    GanttBars bars;                           // of everything but the workflow; with nat_compat those of the nested stack analysis
    std::vector<StepLatency> step_latencies;  // largest share of self time first
    std::size_t orphan_steps = 0;             // ENDs and CHUNKs without a START
    Insights insights;
    std::optional<PrefixNode> prefix_tree;  // when prompt_caching_prefixes is on

    std::vector<AnalysisRunner::Timing> timings;
    std::vector<std::pair<std::string, Error>> failures;  // by the name of the analysis
};

struct ProfileOptions {
    PriceTable prices;                   // empty: no costs
    std::optional<std::size_t> session;  // an index; shown by itself beside the median, p95 and slowest session
    DynamoFetch fetch_dynamo;            // for dynamo_metrics, which are null without it
};

// Gives out the sessions of a run, each as long as the call lasts; a session that failed at once is there with no steps. Returns what could
// not be read, which is repeated in profile.json.
using SessionSource = std::function<Result<event::SkipReport>(const std::function<void(const event::SessionTrace&)>& on_session)>;

// What an analysis must know of the whole run before its first row: the source is called twice then.
bool needs_preview(const ProfilerConfig& config);

// The raw traces are complete before any other file is. Errors: those of the source.
Result<ProfileResult> profile(const SessionSource& source, const ProfileOptions& options, const ProfilerConfig& config,
                              ArtefactStore& artefacts);

// Sessions and artefacts in memory.
struct ProfileInput {
    std::vector<event::SessionTrace> sessions;
    event::SkipReport skipped;
    PriceTable prices;
    std::optional<std::size_t> session;
    DynamoFetch fetch_dynamo;
};
ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config);

}  // namespace plimsoll::profile
