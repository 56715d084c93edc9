// How a load run goes, and what came of it besides the records.
#pragma once

#include "load/arrivals.h"
#include "load/duration_text.h"

namespace plimsoll::load {

struct LoadPlan {
    bool open = false;  // open loop: `arrivals` decide; closed loop: `users` do

    int users = 1;                   // sessions at once, each user's next one after its last
    Nanoseconds think{0};            // between a user's sessions
    bool exponential_think = false;  // drawn with that mean
    Nanoseconds ramp_up{0};          // the users' first starts are spread over it
    ArrivalPlan arrivals;

    Nanoseconds duration{0};         // no session starts later; 0: until max_sessions (closed) or the last arrival (open)
    std::uint64_t max_sessions = 0;  // started at most; 0: no limit
    Nanoseconds warmup{0};           // sessions whose intended start is earlier do not count
    // After `duration` or the last arrival, then what still runs is cancelled. A run that ends by max_sessions waits for its calls.
    Nanoseconds drain{30'000'000'000};
    Nanoseconds call_timeout{300'000'000'000};
    int max_in_flight = 10'000;  // sessions of an open loop; a start beyond it is dropped and counted
    int threads = 1;
    bool keep_tokens = true;  // the time of every token
    std::uint64_t seed = 1;
    Nanoseconds tick{200'000'000};  // how often an observer hears of the run
};

inline constexpr int kMaxUsers = 100'000;

// Errors: invalid_argument, naming what cannot be.
Result<void> check_plan(const LoadPlan& plan);

struct LoadOutcome {
    double wall_start = 0;           // seconds since the epoch, of the run's start
    Nanoseconds elapsed{0};          // until the last session ended
    Nanoseconds starts_end{0};       // no session started after it: plan, limit or interruption
    std::uint64_t started = 0;       // sessions
    std::uint64_t dropped = 0;       // starts of an open loop for which max_in_flight left no room
    std::uint64_t put_off = 0;       // starts of a closed loop that waited because the user's last session had failed
    std::uint64_t lost_records = 0;  // sessions that ended but whose records nobody took in time
    int peak_calls = 0;              // in flight at once
    bool interrupted = false;
};

// A moment of a running run.
struct LoadProgress {
    double wall_start = 0;  // of the run, seconds since the epoch
    Nanoseconds elapsed{0};
    std::uint64_t started = 0, dropped = 0;
    int sessions = 0, calls = 0, peak_calls = 0;  // in flight
    bool draining = false;
};

}  // namespace plimsoll::load
