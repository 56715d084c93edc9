// Runs a load plan against a target and blocks until every session has ended.
//
//   auto outcome = run_load(plan, book, target, {.on_records = …, .on_progress = …});
//
// The io threads do nothing but talk to the target; records come to the calling thread a few times a second, which counts and writes.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "load/plan.h"
#include "load/record.h"
#include "load/script.h"
#include "load/target.h"

namespace plimsoll::load {

struct LoadObserver {
    std::function<void(const LoadProgress&)> on_progress;        // every LoadPlan::tick, and at the end before the last records
    std::function<void(std::vector<SessionRecord>)> on_records;  // what ended since the last time
};

// SIGINT or SIGTERM, or a stop asked for through `stop`: nothing starts any more and what runs may drain; a second signal cancels it.
// After the plan's end and its drain what still runs is cancelled and counts as unfinished.
// Errors: invalid_argument (the plan). An exception of an observer ends the run and comes out of here.
Result<LoadOutcome> run_load(const LoadPlan& plan, const ScriptBook& book, const TargetFactory& target, const LoadObserver& observer,
                             std::stop_token stop = {});

}  // namespace plimsoll::load
