// Recorded sessions as scripts: their model calls are made again, their tools waited for, in the recorded shape.
//
// The shape comes from the spans' parents. Inside one parent a span begins once every sibling that had ended before its start has ended
// again, plus the recorded gap since the last of them (since the parent's start when there is none); siblings that overlapped run at once.
// A parent ends with the last of its children plus the recorded rest. So a fork stays a fork and a join waits for all of its branches,
// however long the calls take this time. Spans that contain no call and no tool are not looked into: they are waits.
#pragma once

#include <string>
#include <vector>

#include "event/trace.h"
#include "load/script.h"

namespace plimsoll::load {

struct Replay {
    ScriptBook book;                   // one script a session that has a model call
    std::vector<std::string> skipped;  // why others have none, a line each
};

// `speed` 2 halves every wait and gap. Calls ask what was recorded as their input, for as many tokens as came then.
// Errors: not_found when no session has a model call.
Result<Replay> make_replay(const event::TraceFile& traces, double speed);

}  // namespace plimsoll::load
