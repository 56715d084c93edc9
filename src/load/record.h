// What a load run keeps of each call and each session. Times are nanoseconds from the run's start on the steady clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "event/step.h"

namespace plimsoll::load {

using Clock = std::chrono::steady_clock;

struct CallRecord {
    std::int64_t intended = 0;  // when the plan wanted it to start
    std::int64_t start = 0;     // when it really did
    std::int64_t first = -1;    // first token; < 0: none came
    std::int64_t end = 0;
    std::int32_t step = 0;                                    // of the session's script
    std::uint32_t pieces = 0;                                 // of the stream that carried text
    std::int64_t prompt_tokens = -1, completion_tokens = -1;  // as the server says; < 0: it does not
    bool unfinished = false;                                  // the run ended first
    std::optional<Error> error;
    std::vector<std::uint32_t> token_us;  // of each piece, from `start`; empty when not kept
    std::vector<event::Step> steps;       // of an agent that ran in this process; empty when not kept

    // The server's count, else one a piece.
    std::int64_t tokens() const { return completion_tokens >= 0 ? completion_tokens : pieces; }
};

struct SessionRecord {
    std::uint64_t number = 0;  // in the order of the plan
    std::int64_t intended = 0, start = 0, end = 0;
    bool unfinished = false;
    std::vector<CallRecord> calls;  // in the order they ended
};

}  // namespace plimsoll::load
