// What failed calls and their repetitions cost in time and tokens.
//
// Which calls repeat others: retries.h. Cancelled calls are waste, not failures (wasted_work.h).
#pragma once

#include <vector>

#include "profile/run_graph.h"

namespace plimsoll::profile {

struct ErrorCostRow {
    StepName step;
    std::size_t calls = 0;
    std::size_t failed = 0;
    double failed_seconds = 0;        // own time, so that a failure that travels up its callers counts once
    std::int64_t failed_tokens = 0;   // prompt and completion, as far as the calls reported them
    std::size_t retried = 0;          // calls that repeated a failed one or took several attempts
    std::size_t extra_attempts = 0;   // attempts beyond the first of each call, and repeated calls
    double retried_seconds = 0;       // of the retried calls from start to end, their waits between attempts included
    std::int64_t retried_tokens = 0;  // of the calls that repeated a failed one
};

struct ErrorCost {
    std::vector<ErrorCostRow> steps;  // only those with failures or repetitions, most seconds first
    ErrorCostRow total;               // its step is empty
    std::size_t failed_sessions = 0;  // whose workflow failed
};

ErrorCost compute_error_cost(const RunGraph& graph);
json::value to_json(const ErrorCost& cost);

}  // namespace plimsoll::profile
