// What the simulated model server counts, and how it shows it: as JSON, and under vLLM's names for Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "llm/sim_faults.h"

namespace plimsoll::llm {

struct SimStats {
    std::uint64_t requests = 0;      // POSTs to a model route, bad ones included
    std::uint64_t completed = 0;     // answered in full
    std::uint64_t rejected = 0;      // with a 400
    std::uint64_t clients_gone = 0;  // left before the end of their answer; not those that a fault made leave
    std::uint64_t open = 0;          // now in a handler
    std::uint64_t peak_open = 0;
    std::uint64_t running = 0;  // of those, in a slot
    std::uint64_t waiting = 0;  // of those, in the queue
    std::uint64_t prompt_tokens = 0;
    std::uint64_t generation_tokens = 0;  // sent, or as good as sent for an answer in one piece
    std::array<std::uint64_t, kSimFaultCount> faults{};

    // Seconds from a request's arrival to its first token, the time in the queue included.
    static constexpr std::array<double, 16> kTtftBounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                                           0.25,  0.5,   0.75, 1,    2.5,  5,    7.5,  10};
    std::array<std::uint64_t, kTtftBounds.size() + 1> ttft_counts{};  // per interval, the last one open
    double ttft_sum = 0;

    std::uint64_t fault_count(SimFault fault) const { return faults[static_cast<std::size_t>(fault)]; }
    void observe_ttft(double seconds);
    json::value to_json() const;
    std::string to_prometheus(std::string_view model) const;
};

}  // namespace plimsoll::llm
