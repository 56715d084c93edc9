// Agent Trajectory Interchange Format (ATIF v1.7, NAT's workflow_output_atif.json) as a trace. ATIF keeps turns, not events, so less comes
// back than was recorded: a model call for each agent step that names a model, a tool call for each tool call with known times, the
// workflow from the first user step to the last agent step without a model. Parents are the functions that ATIF names.
#pragma once

#include <optional>

#include "event/trace.h"

namespace plimsoll::record {

// A trajectory, or NAT's sample with one in it.
bool is_atif(const json::value& value);

// What cannot be placed in time is left out and counted. Nothing, and a reason, without a list of steps.
std::optional<event::SessionTrace> read_atif(const json::value& value, std::int64_t number, event::SkipReport& skipped);

}  // namespace plimsoll::record
