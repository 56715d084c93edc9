// Each operation's durations and how often it overlapped itself (NAT 1.9.0, simple stack analysis).
#pragma once

#include <string>
#include <vector>

#include "profile/analysis_output.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

// All calls of one category and name.
struct Operation {
    std::string type, name;         // "LLM", "TOOL"
    std::vector<double> durations;  // seconds
    double mean_duration = 0;
    int max_concurrency = 0;

    double score() const { return mean_duration * max_concurrency; }
};

struct Operations {
    std::vector<Operation> list;  // by type and name
    int max_concurrency = 0;      // of all together
};

// LLM and tool calls that succeeded; calls that meet end to start do not overlap.
Operations collect_operations(const RunGraph& graph);

// The score is mean duration × highest concurrency.
void analyse_simple_stack(const Operations& operations, const AnalysisOutput& output);

}  // namespace plimsoll::profile
