// The timeline of a model server whose answers do not slow each other down: the first token `ttft` after a request has its
// place, each further one `itl` after the one before. Beyond `max_jobs` requests wait in the order they came.
#pragma once

#include <deque>
#include <queue>
#include <unordered_map>

#include "llm/sim_timeline.h"

namespace plimsoll::llm {

struct SimPaceOptions {
    SimTime ttft{0};
    SimTime itl{0};
    double jitter = 0;         // both are multiplied by a factor drawn from [1 - jitter, 1 + jitter] with the job's randomness
    std::size_t max_jobs = 0;  // 0 = no limit
};

class SimPace final : public SimTimeline {
  public:
    explicit SimPace(SimPaceOptions options) : options_(options) {}

    Result<void> submit(SimTime now, SimJob job) override;
    void leave(SimTime now, std::uint64_t id) override;
    std::optional<SimTime> next() const override;
    void advance(SimTime now, std::vector<SimEvent>& events) override;
    std::vector<SimLoad> load() const override { return {{.running = running_.size(), .waiting = waiting_.size()}}; }

  private:
    struct Waiting {
        SimTime arrival;
        SimJob job;
    };
    struct Due {
        SimTime at;
        std::uint64_t order;  // of equal times the one that was set first
        std::uint64_t id;
        bool operator>(const Due& other) const { return at != other.at ? at > other.at : order > other.order; }
    };
    bool has_place() const { return options_.max_jobs == 0 || running_.size() < options_.max_jobs; }
    // When the first in the queue can start; nothing when it cannot.
    std::optional<SimTime> next_start() const;
    void start(SimTime at, std::vector<SimEvent>& events);
    void emit_token(const Due& due, std::vector<SimEvent>& events);
    void set_due(SimTime at, std::uint64_t id) { due_.push({at, ++order_, id}); }
    SimTime vary(SimTime span, Random& random) const;

    SimPaceOptions options_;
    SimTime clock_{0};  // of the last thing that happened
    std::uint64_t order_ = 0;
    std::deque<Waiting> waiting_;
    std::unordered_map<std::uint64_t, SimJob> running_;                  // output_tokens counts down
    std::priority_queue<Due, std::vector<Due>, std::greater<Due>> due_;  // an entry of a job that left is passed over
};

}  // namespace plimsoll::llm
