// Prometheus text as model servers give it, and the few figures of it that tell whether the server is full. Names of vLLM, NVIDIA NIM,
// SGLang, TGI, llama.cpp and Triton are in one table; text of any other server still parses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "load/sample.h"

namespace plimsoll::load {

struct MetricValue {
    std::string name;
    std::string labels;  // as written, without braces
    double value = 0;
    bool is_gauge = true;  // not said to be anything else
};

inline constexpr std::size_t kMaxMetrics = 50'000;

// Comments, damaged lines and values that are no finite number are passed over.
std::vector<MetricValue> parse_prometheus(std::string_view text);

// Sums over the labels; the KV cache's usage is the highest. What is said under the names of several servers counts once. Nothing when no
// known name is there.
std::optional<ServerSample> read_server(const std::vector<MetricValue>& metrics);
// Of an NVIDIA DCGM exporter.
std::vector<GpuSample> read_dcgm(const std::vector<MetricValue>& metrics);

// Several servers as one: their requests and places added up, the fullest cache. A limit that one of them does not name is none.
std::optional<ServerSample> add_up(const std::vector<std::optional<ServerSample>>& servers);

}  // namespace plimsoll::load
