// Readers of Linux's cumulative counters: /proc and control groups of version 1 and 2. Each takes the root it reads below, so that tests
// point it at a folder. Nothing is a failure: a file that is missing or strange leaves the value absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace plimsoll::load {

struct MachineCounters {
    int cores = 0;
    std::uint64_t total = 0, idle = 0, steal = 0;  // ticks of all cores; idle with iowait
    double load1 = 0;
    std::optional<std::uint64_t> stall_us;  // PSI "some" of the CPU
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
// The tree below `pid`; nothing when it has gone.
std::optional<ProcessCounters> read_tree(const ProcessList& list, const std::filesystem::path& proc, int pid);
double ticks_per_second();

struct CgroupCounters {
    double quota_cores = -1;                // < 0: no limit
    std::optional<std::uint64_t> usage_us;  // absent: version 1 counts it for other groups than this one
    std::uint64_t periods = 0, throttled = 0, throttled_us = 0;
};
// The folder of a process' control group that counts processor time; nothing when there is none.
struct CgroupPlace {
    std::filesystem::path folder;
    std::optional<std::filesystem::path> accounting;  // where what was used is counted; in version 1 often a mount of its own
    bool v2 = false;
};
std::optional<CgroupPlace> find_cgroup(const std::filesystem::path& proc, const std::filesystem::path& cgroups, int pid);
std::optional<CgroupCounters> read_cgroup(const CgroupPlace& place);

}  // namespace plimsoll::load
