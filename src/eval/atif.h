// workflow_output_atif.json: each session as an agent trajectory (ATIF v1.7), as NAT 1.9.0 converts its steps.
//
// In order of time: the workflow's start is the user's step; each answered model call is a step of the agent, and calls of tools and
// functions that end before the next one belong to it; the workflow's end is a last step when it adds something.
#pragma once

#include <span>

#include "base/json.h"
#include "eval/runner.h"

namespace plimsoll::eval {

json::value make_atif_output(std::span<const ItemResult> items);

}  // namespace plimsoll::eval
