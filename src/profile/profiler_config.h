// The `profiler:` mapping of an eval file (NAT 1.9.0): which analyses run. An absent or null mapping means no profiling at
// all; that is the caller's decision, here null reads as "nothing switched on".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"

namespace plimsoll::profile {

struct PrefixSettings {
    bool enable = false;
    double min_frequency = 0.5;  // share of the calls that must begin with a prefix
};

struct BottleneckSettings {
    bool enable_simple_stack = false;
    bool enable_nested_stack = false;
};

struct SpikeSettings {
    bool enable = false;
    // Calls in flight from which an interval counts as a spike; nothing: the level above that of 95 % of the time.
    std::optional<int> spike_threshold = 1;
};

struct PrefixSpanSettings {
    bool enable = false;
    std::optional<double> min_support;   // below 1 a share of the sessions, else a number of them; not given: 2 of them
    std::optional<double> min_coverage;  // share of the sessions that must contain a pattern without gaps; not given: 0
    int max_text_len = 1000;
    int top_k = 10;
    bool chain_with_common_prefixes = false;
};

struct PredictionTrieSettings {
    bool enable = false;
    std::string output_filename = "prediction_trie.json";  // no folder, and no other file of a run
    bool auto_sensitivity = true;
    int sensitivity_scale = 5;
    double w_critical = 0.5;
    double w_fanout = 0.3;
    double w_position = 0.2;
    double w_parallel = 0.0;
};

struct DynamoSettings {
    bool enable = false;
    std::string prometheus_url = "http://localhost:9090";
    bool collect_kv_cache = true, collect_ttft = true, collect_itl = true;
    bool collect_inflight_requests = true, collect_throughput = true, collect_token_throughput = true;
    std::string query_range = "30s";
    double lookback_seconds = 0;
    std::optional<double> workflow_start_timestamp, workflow_end_timestamp;  // the run's; the profiler sets them
};

struct ProfilerConfig {
    bool base_metrics = false;
    bool token_usage_forecast = false;
    bool token_uniqueness_forecast = false;
    bool workflow_runtime_forecast = false;
    bool compute_llm_metrics = false;
    bool csv_exclude_io_text = false;
    PrefixSettings prompt_caching_prefixes;
    BottleneckSettings bottleneck_analysis;
    SpikeSettings concurrency_spike_analysis;
    PrefixSpanSettings prefix_span_analysis;
    PredictionTrieSettings prediction_trie;
    DynamoSettings dynamo_metrics;
    bool nat_compat = false;            // NAT's numbers where they are wrong too; set by the caller, no key of the file
    std::vector<std::string> warnings;  // keys nobody knows, a line each
};

// Errors: config, naming every wrong field.
Result<ProfilerConfig> parse_profiler_config(const json::value& settings);

// Section "profiler": first the mapping itself, without a type and with its inner mappings as fields of type `any`, then each of these
// with its key as type.
Catalogue profiler_catalogue();

}  // namespace plimsoll::profile
