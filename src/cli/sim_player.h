// A load plan against the simulated model server in virtual time: the same sessions, token counts and timeline as `load` and `sim serve`
// would have in real time on machines that cost nothing, as fast as this one computes. The same arguments give the same records.
#pragma once

#include <functional>

#include "llm/sim_timeline.h"
#include "load/plan.h"
#include "load/record.h"
#include "load/sample.h"
#include "load/script.h"

namespace plimsoll::cli {

struct PlayOptions {
    int tokens = 128;             // of an answer that nothing else sets the length of
    std::int64_t max_tokens = 0;  // of an answer whose call does not say; 0: no bound
};

struct PlayObserver {
    std::function<void(load::SessionRecord)> on_session;  // in the order in which they end
    // Each virtual second, and at the end.
    std::function<void(const load::LoadProgress&, const load::ServerSample&)> on_second;
};

// `plan` has been checked; its threads do not matter. The timeline begins at 0 and is used up.
load::LoadOutcome play(const load::LoadPlan& plan, const load::ScriptBook& book, llm::SimTimeline& timeline, const PlayOptions& options,
                       const PlayObserver& observer);

}  // namespace plimsoll::cli
