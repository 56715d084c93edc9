// What a bottleneck analysis gives to the two workflow_profiling files.
#pragma once

#include <string>

#include "base/json.h"

namespace plimsoll::profile {

struct AnalysisOutput {
    json::object metrics;  // its member of workflow_profiling_metrics.json
    std::string report;    // its section of workflow_profiling_report.txt, without a last line end
};

}  // namespace plimsoll::profile
