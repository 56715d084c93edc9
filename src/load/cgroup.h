// Reader of a control group's counters, of version 1 and 2, below a root that a test may choose.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "load/counter_files.h"

namespace plimsoll::load {

struct CgroupCounters {
    double quota_cores = -1;                // < 0: no limit
    std::optional<std::uint64_t> usage_us;  // absent: version 1 counts it for other groups than this one
    std::uint64_t periods = 0, throttled = 0, throttled_us = 0;
    std::optional<std::int64_t> memory_bytes;  // in use
    std::int64_t memory_limit_bytes = -1;      // < 0: no limit
    StallCounters stall;                       // version 2 only
};
// The folder of a process' control group that counts processor time; nothing when there is none.
struct CgroupPlace {
    std::filesystem::path folder;
    std::optional<std::filesystem::path> accounting;  // where what was used is counted; in version 1 often a mount of its own
    std::optional<std::filesystem::path> memory;      // version 1 only: where memory is counted, a hierarchy of its own
    bool v2 = false;
};
std::optional<CgroupPlace> find_cgroup(const std::filesystem::path& proc, const std::filesystem::path& cgroups, int pid);
std::optional<CgroupCounters> read_cgroup(const CgroupPlace& place);

}  // namespace plimsoll::load
