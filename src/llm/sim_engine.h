// The timeline of a model server with continuous batching: one or more replicas behind a router, each with its own queue and cache,
// and a law for how long a step takes.
//
//   linear     T = a + b n + c K + d p
//   roofline   T = h + max(a + c K, d (n + p))       reading weights and cache against computing
//
// with n sequences that decode, K tokens in their caches and p prompt tokens in the step (see SimStep). Linear fits servers that run
// prompt and decode rows one after the other (llama.cpp), the roofline those that overlap them on a GPU.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "llm/sim_batch.h"

namespace plimsoll::llm {

struct SimStepLaw {
    enum class Form : std::uint8_t { linear, roofline };
    Form form = Form::linear;
    double overhead = 0;          // h, seconds
    double fixed = 0.010;         // a, seconds
    double per_sequence = 0;      // b, seconds
    double per_context = 0;       // c, seconds a token in the cache
    double per_prompt_token = 0;  // d, seconds

    double seconds(const SimStep& step) const;
};

enum class SimRouting : std::uint8_t {
    round_robin,
    least_loaded,  // fewest requests running and waiting, of equal ones the first
    session_hash,  // the same session to the same replica; requests without one as least_loaded
};
inline constexpr std::string_view kSimRoutingNames[] = {"round_robin", "least_loaded", "session_hash"};
// nullopt for a name that is none.
std::optional<SimRouting> parse_sim_routing(std::string_view name);

struct SimEngineOptions {
    SimStepLaw law;
    SimBatchLimits limits;  // of each replica
    int replicas = 1;
    SimRouting routing = SimRouting::round_robin;
    // From a request's arrival until the batch can take it: parsing, template, tokenizer. A replica at rest begins a step this long
    // after the first arrival, with all that arrived by then, so that requests sent together share a step.
    SimTime ingest{0};
    double jitter = 0;  // a step's time is multiplied by a factor drawn from [1 - jitter, 1 + jitter]
    std::uint64_t seed = 1;
};

inline constexpr int kMaxSimReplicas = 256;

// Errors: invalid_argument.
Result<void> check_sim_engine_options(const SimEngineOptions& options);

class SimEngine final : public SimTimeline {
  public:
    explicit SimEngine(const SimEngineOptions& options);  // checked ones

    Result<void> submit(SimTime now, SimJob job) override;
    void leave(SimTime now, std::uint64_t id) override;
    std::optional<SimTime> next() const override;
    void advance(SimTime now, std::vector<SimEvent>& events) override;
    std::vector<SimLoad> load() const override;

  private:
    static constexpr SimTime kNever = SimTime::max();

    struct Replica {
        Replica(const SimBatchLimits& limits, std::uint64_t seed) : batch(limits), random(seed) {}

        SimBatch batch;
        std::multimap<SimTime, SimJob> arrivals;  // by the time they arrive
        bool in_step = false;
        SimTime due = kNever;  // of the step's end, or of the next attempt to begin one
        Random random;         // of the steps' jitter
        std::uint64_t steps = 0, step_sequences = 0;
        double busy_seconds = 0;
        int step_tokens = 0;

        std::size_t requests() const { return arrivals.size() + batch.waiting() + batch.running(); }
    };

    Replica& route(const SimJob& job);
    void advance(Replica& replica, std::vector<SimEvent>& events);
    void take_arrivals(Replica& replica, SimTime until);
    void begin_step(Replica& replica, SimTime at, std::vector<SimEvent>& events);

    SimEngineOptions options_;
    std::vector<Replica> replicas_;
    std::size_t turn_ = 0;  // of round robin
};

}  // namespace plimsoll::llm
