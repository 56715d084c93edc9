// One replica of a model server with continuous batching, in simulated time: calls wait first come, first served for a place
// in the batch, their prompts are read in chunks beside the running sequences, and every step gives each sequence a token.
// Steps in which nothing begins or ends are taken together, so that the cost follows the calls and not the tokens.
//
//   server.submit(now, call);                    // then ask for next_time() again
//   while (server.next_time() <= now) server.advance(finished);
//
// A step begins only in start_steps(): the caller first submits everything that arrives at the same instant.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "forecast/step_law.h"

namespace plimsoll::forecast {

struct ReplicaLimits {
    std::int64_t max_num_seqs = 0;
    std::int64_t kv_tokens = 0;
    std::int64_t max_batched_tokens = 0;
    bool chunked_prefill = true;  // false: prompts are read whole, in steps of their own
};

struct ServerCall {
    std::uint32_t id = 0;  // the caller's
    int prompt = 0;        // tokens to read
    int cached = 0;        // tokens of the prompt that only take memory
    int output = 0;        // tokens to write
};

struct ServerEvent {
    std::uint32_t id = 0;
    double time = 0;
    bool first_token = false;
    bool finished = false;
};

class BatchServer {
  public:
    BatchServer(const StepLaw& law, const ReplicaLimits& limits) : law_(&law), limits_(limits) {}

    void submit(double now, const ServerCall& call);

    // Whether steps could begin now but have not.
    bool wants_start() const { return !in_step_ && (!running_.empty() || !waiting_.empty() || !prefilling_.empty()); }
    void start_steps(double now);

    // When the steps under way end; infinity while none are. Changes with submit(); `generation` tells old answers from new.
    double next_time() const { return in_step_ ? step_end_ : std::numeric_limits<double>::infinity(); }
    std::uint32_t generation() const { return generation_; }

    // Ends the steps under way and appends what they brought.
    void advance(std::vector<ServerEvent>& events);

    std::size_t load() const { return running_.size() + waiting_.size() + prefilling_.size(); }

    struct Totals {
        std::int64_t steps = 0;
        std::int64_t preemptions = 0;
        std::int64_t full_slot_steps = 0;  // steps with no free place and calls waiting
        std::int64_t full_kv_steps = 0;    // steps with a free place, but no memory for the next call
        double busy_seconds = 0;
        double sequence_steps = 0;  // sum of n over steps
        std::size_t peak_sequences = 0;
        std::int64_t peak_tokens = 0;
    };
    const Totals& totals() const { return totals_; }

  private:
    struct Running {
        std::int64_t finish_step = 0;
        std::int64_t context_offset = 0;  // context = steps_ + this
        std::uint64_t admitted = 0;       // order of admission
        ServerCall call;
    };
    struct Prefilling {
        ServerCall call;
        int left = 0;  // prompt tokens
        std::uint64_t admitted = 0;
    };

    void admit();
    void plan_prompts();
    void preempt_for_memory();
    void finish_prompts(std::vector<ServerEvent>& events);
    void finish_sequences(std::vector<ServerEvent>& events);
    void find_next_finish();

    enum class HeldUp : std::uint8_t { nothing, places, memory };

    const StepLaw* law_;
    ReplicaLimits limits_;
    std::deque<ServerCall> waiting_;
    std::vector<Prefilling> prefilling_;
    std::vector<Running> running_;
    std::int64_t next_finish_ = std::numeric_limits<std::int64_t>::max();  // step at which the first running sequence ends
    std::int64_t steps_ = 0;                                               // steps in which sequences moved
    std::int64_t context_ = 0;                                             // of running sequences
    std::int64_t prefill_memory_ = 0;                                      // held by calls whose prompt is being read
    std::uint64_t admissions_ = 0;
    bool in_step_ = false;
    double step_start_ = 0, step_end_ = 0, step_seconds_ = 0;
    std::int64_t step_count_ = 0;  // taken together
    bool decoding_ = false;        // the running sequences take part in the step
    std::int64_t prompt_tokens_ = 0;
    std::int64_t prompts_ = 0;
    std::vector<int> chunks_;           // of each prefilling call in this step
    HeldUp held_up_ = HeldUp::nothing;  // why the next call waits
    std::uint32_t generation_ = 0;
    Totals totals_;
};

}  // namespace plimsoll::forecast
