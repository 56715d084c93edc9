// Profiles the traces of a run: NAT's artefacts in NAT's shapes, and typed results for reports. Pure: reads no file, writes
// none. Calls pair by UUID and nest by parent, so that parallel work is measured as what it is; failed calls count as errors
// and stay out of latencies.
//
//   auto config = parse_profiler_config(settings);
//   ProfileResult result = profile({std::move(traces)}, *config);
//   for (const auto& artefact : result.artefacts) save_file(folder / artefact.file_name, artefact.content);
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "event/trace.h"
#include "profile/analysis_runner.h"
#include "profile/common_prefixes.h"
#include "profile/concurrency.h"
#include "profile/confidence.h"
#include "profile/dynamo_metrics.h"
#include "profile/insights.h"
#include "profile/profiler_config.h"
#include "profile/step_latency.h"

namespace plimsoll::profile {

// Asks the network, which the profiler does not: the settings have the run's window.
using DynamoFetch = std::function<DynamoMetrics(const DynamoSettings& settings)>;

struct ProfileInput {
    std::vector<event::SessionTrace> sessions;  // a session that failed at once is there with no steps
    event::SkipReport skipped;                  // what could not be read; repeated in profile.json
    PriceTable prices;                          // empty: no costs
    std::optional<std::size_t> session;         // an index; shown by itself beside the median, p95 and slowest session
    DynamoFetch fetch_dynamo;                   // for dynamo_metrics, which are null without it
};

struct Artefact {
    std::string file_name;
    std::string content;
};

// A call of a Gantt chart; everything but the workflow itself.
struct GanttBar {
    std::string uuid;
    event::Category category = event::Category::custom;
    std::string name;
    double start = 0, end = 0;  // seconds since the epoch
    std::size_t session = 0;    // index in the run
    int depth = 0;              // in the session's call tree
    bool failed = false;
};

struct ProfileResult {
    // all_requests_profiler_traces.json, standardized_data_all.csv, inference_optimization.json, llm_calls.csv and profile.json always;
    // workflow_profiling_metrics.json and workflow_profiling_report.txt when an analysis that writes into them is on.
    std::vector<Artefact> artefacts;

    std::optional<Percentiles> workflow_runtime;  // seconds; when base_metrics or workflow_runtime_forecast is on
    ConfidenceInterval workflow_runtime_ci;       // seconds
    ConfidenceInterval llm_latency_ci;            // seconds
    ConfidenceInterval throughput_ci;             // sessions per second

    std::vector<GanttBar> bars;               // sessions in order, each in preorder; with nat_compat those of the nested stack analysis
    std::vector<StepLatency> step_latencies;  // largest share of self time first
    std::vector<Segment> call_timeline;       // LLM and tool calls in flight over the run
    std::size_t orphan_steps = 0;             // ENDs and CHUNKs without a START
    Insights insights;
    std::optional<PrefixNode> prefix_tree;  // when prompt_caching_prefixes is on

    std::vector<AnalysisRunner::Timing> timings;
    std::vector<std::pair<std::string, Error>> failures;  // by the name of the analysis
};

ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config);

// The same, but gives each artefact away as soon as it is complete, the raw traces first, so that the large files of a long run
// are never in memory together. `artefacts` of the result stays empty.
using ArtefactSink = std::function<void(Artefact)>;
ProfileResult profile(const ProfileInput& input, const ProfilerConfig& config, const ArtefactSink& sink);

}  // namespace plimsoll::profile
