// Readers of the cumulative counters in /proc. Each takes the root it reads below, so that tests point it at a folder. Nothing is a
// failure: a file that is missing or strange leaves the value absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "load/counter_files.h"

namespace plimsoll::load {

struct MachineCounters {
    int cores = 0;
    std::uint64_t total = 0, idle = 0, steal = 0;  // ticks of all cores; idle with iowait
    double load1 = 0;
    StallCounters stall;
    std::int64_t memory_bytes = 0;                  // in all; 0: not known
    std::optional<std::int64_t> memory_used_bytes;  // what is not available without swapping
};
std::optional<MachineCounters> read_machine(const std::filesystem::path& proc);

struct ProcessCounters {
    std::string name;
    std::uint64_t ticks = 0;       // user and system, of the whole tree
    std::int64_t rss_bytes = 0;    // of the whole tree
    int processes = 0;             // in the tree
    std::uint64_t waiting_ns = 0;  // run-queue time of the root's main thread group
    // Ticks of each thread of the root, by thread id.
    std::vector<std::pair<int, std::uint64_t>> threads;
};
inline constexpr std::size_t kMaxThreadsRead = 512;
inline constexpr std::size_t kMaxProcessesRead = 20'000;

// Process and parent of everything that runs, read once for all trees.
struct ProcessList {
    struct Entry {
        int pid = 0, parent = 0;
        std::string name;
        std::uint64_t ticks = 0;
        std::int64_t rss_bytes = 0;
    };
    std::vector<Entry> entries;
};
ProcessList read_processes(const std::filesystem::path& proc);
// The tree below `pid` without those of `apart`; nothing when it has gone.
std::optional<ProcessCounters> read_tree(const ProcessList& list, const std::filesystem::path& proc, int pid,
                                         std::span<const int> apart = {});
double ticks_per_second();

}  // namespace plimsoll::load
