// What the flags of `plimsoll load` mean together, with the files they name.
#pragma once

#include <vector>

#include "cli/load_flags.h"
#include "load/http_target.h"
#include "load/plan.h"
#include "load/script.h"
#include "load/summary.h"

namespace plimsoll::cli {

// What the sessions ask; of recorded ones also when they started.
struct Asked {
    load::ScriptBook book;
    std::vector<load::Nanoseconds> starts;
};

// Each reads its part of the flags and files. Errors: invalid_argument, parse, not_found, config, connect.
Result<Asked> make_asked(const LoadFlags& flags);
Result<load::LoadPlan> make_plan(const LoadFlags& flags, const std::vector<load::Nanoseconds>& recorded_starts);
Result<load::HttpTargetSpec> make_target_spec(const LoadFlags& flags);
Result<std::vector<load::Threshold>> make_thresholds(const LoadFlags& flags);
Result<load::HonestyLimits> make_limits(const LoadFlags& flags, const load::LoadPlan& plan, const load::ScriptBook& book);

// 0 done, 1 nothing worked, 3 a threshold failed, 4 the load was not what was asked for, 130 interrupted.
int load_exit_code(const load::SummaryInput& summary);

}  // namespace plimsoll::cli
