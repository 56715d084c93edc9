// Recorded sessions as scripts: their model calls are made again, their tools waited for, in the recorded shape.
//
// The shape comes from the spans' parents. Inside one parent a span begins once every sibling that had ended before its start has ended
// again, plus the recorded gap since the last of them (since the parent's start when there is none); siblings that overlapped run at once.
// A parent ends with the last of its children plus the recorded rest. So a fork stays a fork and a join waits for all of its branches,
// however long the calls take this time. Spans that contain no call and no tool are not looked into: they are waits.
#pragma once

#include <cstdint>
#include <vector>

#include "event/trace.h"
#include "load/script.h"

namespace plimsoll::load {

struct Replay {
    ScriptBook book;                  // one script a session that has a model call, in the order of their starts
    std::vector<Nanoseconds> starts;  // of each, from the first one's
    std::size_t without_call = 0;     // sessions that have none
    std::size_t made_up = 0;          // calls whose input is not recorded: a text of the recorded length stands for it
    std::size_t unknown_length = 0;   // of them, those of which the length is not recorded either
};

struct ReplayOptions {
    double speed = 1;                  // 2 halves every wait, gap and distance between starts
    std::int64_t unknown_prompt = 64;  // tokens of an input of which not even the length is recorded
};

// Calls ask what was recorded as their input, of the model that was asked then, for exactly as many tokens as came.
//
//   ReplayMaker maker(options);
//   maker.add(trace); …          // one session each, in any order
//   auto replay = maker.finish();
class ReplayMaker {
  public:
    explicit ReplayMaker(ReplayOptions options) : options_(options) {}
    void add(const event::SessionTrace& trace);
    // Errors: not_found when no session has a model call.
    Result<Replay> finish();

  private:
    ReplayOptions options_;
    Replay replay_;
    std::vector<double> starts_;  // seconds since the epoch
};

}  // namespace plimsoll::load
