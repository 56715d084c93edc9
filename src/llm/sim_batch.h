// Continuous batching on one replica, without time: begin() chooses what the next step computes, end() says what came of it.
// Between the two the caller lets the step's time pass.
//
// The scheduler is vLLM's (V1): running sequences come first, in the order they were admitted, then the queue in its order; the
// step ends at `max_batched_tokens`, a prompt may be cut into chunks over several steps, and cache blocks are taken as tokens are
// computed. When none is free, the sequence that was admitted last loses its blocks, goes to the head of the queue and
// recomputes prompt and answer later; nobody is admitted in such a step.
#pragma once

#include <deque>
#include <vector>

#include "llm/sim_timeline.h"

namespace plimsoll::llm {

struct SimBatchLimits {
    int max_sequences = 256;        // in a batch
    int max_batched_tokens = 8192;  // in a step
    bool chunked_prefill = true;    // off: a prompt is computed in one step; one beyond the budget has a step without other prompts
    int kv_blocks = 0;              // 0 = no limit
    int block_tokens = 16;
    int max_context = 0;  // prompt and answer together; 0 = no limit but the cache
};

// What a step computes: the variables of the step law.
struct SimStep {
    int decodes = 0;           // n: sequences that get their next token
    std::int64_t context = 0;  // K: tokens in the cache of those sequences
    int prompt_tokens = 0;     // p: of prompts, or of what a preempted sequence computes again
    int prompts = 0;           // sequences that these belong to
    int tokens() const { return decodes + prompt_tokens; }
};

class SimBatch {
  public:
    explicit SimBatch(const SimBatchLimits& limits) : limits_(limits) {}

    // Errors: invalid_argument when the job could never be held.
    Result<void> check(const SimJob& job) const;
    void add(const SimJob& job);    // at the queue's end; check() has passed it
    bool remove(std::uint64_t id);  // also from a step that has begun; false when it is not here

    // Nothing when no sequence can be worked on. Appends `started` and `preempted`.
    std::optional<SimStep> begin(SimTime at, std::vector<SimEvent>& events);
    // After begin() gave a step. Appends `token` and `finished`.
    void end(SimTime at, std::vector<SimEvent>& events);

    std::size_t running() const { return running_.size(); }
    std::size_t waiting() const { return waiting_.size(); }
    int used_blocks() const { return used_blocks_; }
    std::uint64_t preemptions() const { return preemptions_; }

  private:
    struct Sequence {
        std::uint64_t id = 0;
        int known = 0;      // tokens: the prompt and what was generated
        int computed = 0;   // of those, in the cache
        int left = 0;       // tokens to generate
        int scheduled = 0;  // tokens of the step that has begun
        int blocks = 0;
        bool decodes = false;  // has generated a token since it was admitted last
        bool holds = false;
        bool started = false;

        bool is_done() const { return left == 0; }
    };

    int blocks_of(int tokens) const { return (tokens + limits_.block_tokens - 1) / limits_.block_tokens; }
    // Takes the blocks for the first `tokens`; false when too few are free.
    bool reserve(Sequence& sequence, int tokens);
    void release(Sequence& sequence);
    // Returns whom.
    std::uint64_t preempt_last(SimTime at, std::vector<SimEvent>& events);
    bool schedule_running(SimStep& step, SimTime at, std::vector<SimEvent>& events);
    void admit(SimStep& step, SimTime at, std::vector<SimEvent>& events);
    static void schedule(Sequence& sequence, int tokens, SimStep& step);

    SimBatchLimits limits_;
    std::deque<Sequence> waiting_;
    std::vector<Sequence> running_;  // in the order of admission
    int used_blocks_ = 0;
    std::uint64_t preemptions_ = 0;
};

}  // namespace plimsoll::llm
