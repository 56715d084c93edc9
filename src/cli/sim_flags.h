// What `sim serve` and `sim play` both ask about the model server they stand for.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "llm/sim_options.h"

namespace plimsoll::cli {

struct SimFlags {
    llm::SimOptions options;
    double ttft = 0.1, itl = 0.01;  // seconds
    CLI::Option* jitter = nullptr;
    std::string profile;  // empty: fixed delays
    int replicas = 1;
    std::string routing = "round_robin";
    std::optional<int> max_sequences, max_batched_tokens, kv_blocks;  // instead of the profile's
};

void add_sim_flags(CLI::App& command, SimFlags& flags);

// Puts what the flags say, the profile's numbers too, into flags.options. Errors: invalid_argument, config, not_found, io.
Result<void> apply_sim_flags(SimFlags& flags);

// What is longer than any delay may be stays so, and is refused with the other options.
std::chrono::microseconds to_sim_delay(double seconds);

}  // namespace plimsoll::cli
