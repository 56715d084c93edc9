// The table a reader looks at first: every kind of step with its latencies, time to first token, token rate and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

struct StepLatency {
    event::Category category = event::Category::custom;
    std::string name;
    std::size_t n = 0;  // calls that succeeded; latencies are of these, in seconds
    double mean = 0, p50 = 0, p95 = 0, p99 = 0;
    std::optional<double> ttft_p50, ttft_p95;  // seconds, of the calls that streamed
    std::optional<double> tokens_per_s;        // completion tokens over the time of the calls that reported any
    std::size_t errors = 0;
    std::size_t unfinished = 0;  // no END: the session was cut off, or the recorder drops failures as NAT does
    double self_time_share = 0;  // of the self time of all steps, failed ones too; 0..1
};

// One row for each category and name of all calls (is_call), the largest share of self time first.
std::vector<StepLatency> compute_step_latencies(const RunGraph& graph);

json::value to_json(const std::vector<StepLatency>& rows);

}  // namespace plimsoll::profile
