// Settings of the simulated model server.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "llm/sim_engine.h"
#include "llm/sim_faults.h"

namespace plimsoll::llm {

struct SimOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;                   // 0 = any free one
    std::string model = "sim";                // as /v1/models lists it
    std::chrono::microseconds ttft{100'000};  // time to first token
    std::chrono::microseconds itl{10'000};    // time between two tokens
    double jitter = 0;                        // both, or the steps' times, are multiplied by a factor drawn from [1 - jitter, 1 + jitter]
    std::uint64_t seed = 1;                   // of jitter and faults; the n-th request draws the same each time
    int tokens = 128;                         // of an answer that nothing else sets the length of
    int max_concurrency = 0;                  // requests worked on at once, others queue; 0 = no limit
    // Continuous batching instead of ttft, itl and max_concurrency; its jitter and seed are the ones here.
    std::optional<SimEngineOptions> engine;
    bool headers_at_start = false;  // a stream's headers are sent when it leaves the queue, as llama.cpp does, and not with its first token
    int embedding_dim = 384;
    std::string api_key;           // bearer token that requests must carry, else 401; empty = any
    std::filesystem::path script;  // see SimRule; empty = none
    SimFaultRates fault_rates{};
    std::chrono::microseconds slow_start{5'000'000};  // before the first token, of the fault of that name
    std::chrono::seconds retry_after{1};              // what the fault 429 says
};

inline constexpr int kMaxSimDimensions = 16'384;
inline constexpr std::chrono::hours kMaxSimDelay{1};  // of each of the times

// Errors: invalid_argument.
Result<void> check_sim_options(const SimOptions& options);

// When the tokens of a server with these options come; of checked ones.
std::unique_ptr<SimTimeline> make_sim_timeline(const SimOptions& options);

}  // namespace plimsoll::llm
