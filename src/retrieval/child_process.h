// Runs a program that may misbehave and collects what it prints. No shell, no environment, no input, its own process group;
// whatever it started is killed with it. Blocks up to the wall time: call it off the io threads. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace plimsoll::retrieval {

struct ProcessLimits {
    std::chrono::milliseconds wall_time{20'000};  // then the group is killed; also the CPU limit, rounded up to seconds
    std::uint64_t memory_bytes = 512ull << 20;    // address space of each process in it
    std::uint64_t max_output_bytes = 64ull << 20;
};

struct ProcessOutput {
    int exit_code = 0;     // valid when signal is 0
    int signal = 0;        // that ended it
    std::string out;       // standard output
    std::string messages;  // the first kMaxMessageBytes of standard error
};

inline constexpr std::size_t kMaxMessageBytes = 4096;

// Where the program stands in $PATH. Errors: not_found.
Result<std::filesystem::path> find_program(const std::string& name);

// Errors: timeout, limit (more output than allowed), io (no process or pipe to be had). Any way of ending on its own is a success.
Result<ProcessOutput> run_process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                                  const ProcessLimits& limits);

}  // namespace plimsoll::retrieval
