// When the simulated model server's tokens come, as a value class without a clock: a caller tells it what time it is, so that the
// same code runs a live server and a test in virtual time. Two kinds: SimPace (fixed delays, each answer for itself) and
// SimEngine (continuous batching, where answers slow each other down).
//
//   timeline.submit(now, job);
//   while (auto at = timeline.next()) timeline.advance(*at, events);   // a live server waits until *at first
//
// Times never go backwards from call to call. Thread: the owner's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace plimsoll::llm {

using SimTime = std::chrono::nanoseconds;  // since the timeline's beginning

struct SimJob {
    std::uint64_t id = 0;  // unique among the jobs in flight
    int prompt_tokens = 1;
    int output_tokens = 1;      // at least one, as an embedding has
    std::uint64_t session = 0;  // what routing by session goes by; 0 = none
    bool holds = false;         // keeps its place after its last token until leave()
    SimTime delay{0};           // passes before anything else happens to it
    Random random{0};           // of its own delays
};

struct SimEvent {
    enum class Kind : std::uint8_t {
        started,    // it left the queue; not said again after a preemption
        token,      // one more token of its answer
        preempted,  // it lost its place and its cache, and will get both again
        finished,   // follows the last token at the same time; not for a job that holds
        step,       // a batch step has ended; `id` is the replica, `tokens` what the step computed
    };
    Kind kind = Kind::token;
    std::uint64_t id = 0;
    SimTime at{0};
    int tokens = 0;
};

// One replica as its gauges and counters show it.
struct SimLoad {
    std::size_t running = 0;
    std::size_t waiting = 0;
    int kv_blocks = 0;  // 0 = no limit
    int kv_blocks_used = 0;
    std::uint64_t preemptions = 0;
    std::uint64_t steps = 0;
    std::uint64_t step_sequences = 0;  // summed over the steps
    double busy_seconds = 0;
};

class SimTimeline {
  public:
    virtual ~SimTimeline() = default;

    // Errors: invalid_argument (no replica could ever hold it), limit (the queue is full).
    virtual Result<void> submit(SimTime now, SimJob job) = 0;
    // Ends a job whose client has gone, or that holds. No event follows; an unknown id is one that has ended already.
    virtual void leave(SimTime now, std::uint64_t id) = 0;
    // When advance() has something to do; never before the last call's time. Nothing: not until the next submit() or leave().
    virtual std::optional<SimTime> next() const = 0;
    // Appends what happens up to and at `now`, in order of time.
    virtual void advance(SimTime now, std::vector<SimEvent>& events) = 0;
    virtual std::vector<SimLoad> load() const = 0;
};

// Jobs that wait for their turn; further ones are refused. As many as the server takes connections.
inline constexpr std::size_t kMaxSimWaiting = 20'000;

}  // namespace plimsoll::llm
