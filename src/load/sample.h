// One look at the machine, the watched processes, their control group, the GPUs and the model server, on the run's clock. Rates are over
// the time since the look before; what cannot be read is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plimsoll::load {

struct MachineSample {
    int cores = 0;
    double busy = 0;                                         // share of all cores, 0 to 1
    double steal = 0;                                        // the same, taken by other virtual machines
    double load1 = 0;                                        // load average of one minute
    std::optional<double> stall;                             // share of the time in which something waited for a core (PSI "some")
    std::optional<double> memory_stall = {}, io_stall = {};  // the same for memory and for disks
    std::optional<std::int64_t> memory_used_bytes = {};      // all but what is available without swapping
    std::int64_t memory_bytes = 0;                           // in all; 0: not known
};

struct ProcessSample {
    int pid = 0;  // the root of a process tree; the figures are the tree's
    std::string name;
    bool is_self = false;       // the load generator
    double cores = 0;           // in use on average
    double hottest_thread = 0;  // cores of the busiest thread of the root, at most 1
    double waiting = 0;         // run-queue time of the root over wall time; several threads can wait at once
    std::int64_t rss_bytes = 0;
    int processes = 0;
};

struct CgroupSample {
    double quota_cores = -1;  // cores it may use; < 0: no limit
    double usage_cores = 0;
    std::int64_t periods = 0;    // of the scheduler since the look before
    std::int64_t throttled = 0;  // of them, in which it was stopped
    double throttled_cores = 0;  // core-seconds a second it had to wait
    // Share of the time in which something of it waited (PSI "some").
    std::optional<double> stall = {}, memory_stall = {}, io_stall = {};
    std::optional<std::int64_t> memory_bytes = {};
    std::int64_t memory_limit_bytes = -1;  // < 0: no limit
};

struct GpuSample {
    int index = 0;
    double utilization = 0;                    // 0 to 1
    double memory_used = 0, memory_total = 0;  // bytes
    double power_w = 0;
};

struct ServerSample {
    std::optional<double> running, waiting, max_running;  // requests
    std::optional<double> kv_usage;                       // 0 to 1
};

// What a run's looks at the model server saw.
struct ServerSeen {
    std::optional<double> peak;  // requests that it had at once, running and waiting; nothing when it does not say
    std::size_t looks = 0;       // that said so
};

struct Sample {
    double at_s = 0;  // since the run's start
    std::optional<MachineSample> machine;
    std::vector<ProcessSample> processes;
    std::optional<CgroupSample> cgroup;  // of the first watched process
    std::vector<GpuSample> gpus;
    std::optional<ServerSample> server;                // all model servers together
    std::vector<std::optional<ServerSample>> servers;  // each metrics URL; empty unless there are several
};

}  // namespace plimsoll::load
