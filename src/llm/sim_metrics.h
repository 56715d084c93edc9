// The simulated model server's counts for Prometheus, under the names of real servers, so that what scrapes those can be tried on it.
#pragma once

#include <string>
#include <string_view>

#include "llm/sim_options.h"
#include "llm/sim_stats.h"

namespace plimsoll::llm {

// vLLM's names (vllm:…, its current ones and the older gpu_cache_usage_perc and time_per_output_token_seconds), then
// llama.cpp's (llamacpp:…). With several replicas the gauges stand once for each, under the label `engine`.
std::string sim_metrics(const SimStats& stats, const SimOptions& options);
// NIM's names, without a prefix and summed over the replicas: its /v1/metrics.
std::string sim_nim_metrics(const SimStats& stats, const SimOptions& options);

}  // namespace plimsoll::llm
