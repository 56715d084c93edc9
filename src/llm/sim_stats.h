// What the simulated model server counts. Shown as JSON, and to Prometheus by sim_metrics.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/json.h"
#include "llm/sim_faults.h"
#include "llm/sim_histogram.h"
#include "llm/sim_timeline.h"

namespace plimsoll::llm {

struct SimStats {
    std::uint64_t requests = 0;      // POSTs to a model route, bad ones included
    std::uint64_t completed = 0;     // answered in full
    std::uint64_t rejected = 0;      // with a 400, or with a 503 because the queue was full
    std::uint64_t clients_gone = 0;  // left before the end of their answer; not those that a fault made leave
    std::uint64_t open = 0;          // now in a handler
    std::uint64_t peak_open = 0;
    std::uint64_t running = 0;  // of those, worked on
    std::uint64_t waiting = 0;  // of those, in the queue
    std::uint64_t prompt_tokens = 0;
    std::uint64_t generation_tokens = 0;  // sent, or as good as sent for an answer in one piece
    std::uint64_t finished_by_stop = 0;   // of the completed answers; tool calls and embeddings are among them
    std::uint64_t finished_by_length = 0;
    std::array<std::uint64_t, kSimFaultCount> faults{};
    std::vector<SimLoad> replicas;  // as of now

    // Seconds, by the timeline: what the server means to do, whatever the machine it runs on makes of it (see lateness).
    SimHistogram ttft{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560};
    SimHistogram itl{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80};
    SimHistogram e2e_time = span_histogram();
    SimHistogram queue_time = span_histogram();
    SimHistogram prefill_time = span_histogram();
    SimHistogram decode_time = span_histogram();
    SimHistogram request_prompt_tokens = token_histogram();
    SimHistogram request_generation_tokens = token_histogram();
    SimHistogram step_tokens{1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

    // How much later than due tokens were handed to their streams, seconds.
    double lateness_max = 0;
    double lateness_sum = 0;
    std::uint64_t deliveries = 0;

    void observe_lateness(double seconds) {
        lateness_max = std::max(lateness_max, seconds);
        lateness_sum += seconds;
        ++deliveries;
    }
    std::uint64_t fault_count(SimFault fault) const { return faults[static_cast<std::size_t>(fault)]; }
    json::value to_json() const;

  private:
    static SimHistogram span_histogram() {
        return {0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
    }
    static SimHistogram token_histogram() {
        return {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10'000, 20'000, 50'000, 100'000};
    }
};

}  // namespace plimsoll::llm
