#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "load/cgroup.h"
#include "load/counters.h"
#include "load/sampler.h"

namespace plimsoll::load {

struct Counters {
    double at = 0;
    std::optional<MachineCounters> machine;
    std::map<int, ProcessCounters> processes;
    std::optional<CgroupCounters> cgroup;
};

namespace {

// A counter that went back (a process id that was used again) says nothing.
double grown(std::uint64_t now, std::uint64_t before) { return now >= before ? static_cast<double>(now - before) : 0; }

std::optional<double> stall_share(const std::optional<std::uint64_t>& now, const std::optional<std::uint64_t>& before, double seconds) {
    if (!now || !before) return std::nullopt;
    return std::min(1.0, 1e-6 * grown(*now, *before) / seconds);
}

MachineSample make_machine(const MachineCounters& now, const MachineCounters& before, double seconds) {
    MachineSample out;
    out.cores = now.cores;
    out.load1 = now.load1;
    if (const double total = grown(now.total, before.total); total > 0) {
        out.busy = std::clamp(1 - grown(now.idle, before.idle) / total, 0.0, 1.0);
        out.steal = grown(now.steal, before.steal) / total;
    }
    out.stall = stall_share(now.stall.cpu_us, before.stall.cpu_us, seconds);
    out.memory_stall = stall_share(now.stall.memory_us, before.stall.memory_us, seconds);
    out.io_stall = stall_share(now.stall.io_us, before.stall.io_us, seconds);
    out.memory_used_bytes = now.memory_used_bytes;
    out.memory_bytes = now.memory_bytes;
    return out;
}

ProcessSample make_process(int pid, const ProcessCounters& now, const ProcessCounters& before, double seconds) {
    ProcessSample out;
    out.pid = pid;
    out.name = now.name;
    out.is_self = pid == ::getpid();
    out.cores = grown(now.ticks, before.ticks) / ticks_per_second() / seconds;
    out.waiting = 1e-9 * grown(now.waiting_ns, before.waiting_ns) / seconds;
    out.rss_bytes = now.rss_bytes;
    out.processes = now.processes;
    const std::map<int, std::uint64_t> threads(before.threads.begin(), before.threads.end());
    for (const auto& [id, ticks] : now.threads)
        if (const auto earlier = threads.find(id); earlier != threads.end())
            out.hottest_thread = std::max(out.hottest_thread, std::min(1.0, grown(ticks, earlier->second) / ticks_per_second() / seconds));
    return out;
}

CgroupSample make_cgroup(const CgroupCounters& now, const CgroupCounters& before, double seconds) {
    return {.quota_cores = now.quota_cores,
            .usage_cores = 1e-6 * grown(now.usage_us.value_or(0), before.usage_us.value_or(0)) / seconds,
            .periods = static_cast<std::int64_t>(grown(now.periods, before.periods)),
            .throttled = static_cast<std::int64_t>(grown(now.throttled, before.throttled)),
            .throttled_cores = 1e-6 * grown(now.throttled_us, before.throttled_us) / seconds,
            .stall = stall_share(now.stall.cpu_us, before.stall.cpu_us, seconds),
            .memory_stall = stall_share(now.stall.memory_us, before.stall.memory_us, seconds),
            .io_stall = stall_share(now.stall.io_us, before.stall.io_us, seconds),
            .memory_bytes = now.memory_bytes,
            .memory_limit_bytes = now.memory_limit_bytes};
}

Counters read_counters(const SamplerOptions& options, double now) {
    Counters out;
    out.at = now;
    out.machine = read_machine(options.proc);
    const ProcessList list = read_processes(options.proc);
    std::vector<int> pids = options.pids;
    pids.push_back(::getpid());
    const auto read = [&](int pid) {
        if (auto tree = read_tree(list, options.proc, pid, options.children)) out.processes[pid] = std::move(*tree);
    };
    for (const int pid : pids) read(pid);
    for (const int pid : options.children) read(pid);
    if (const auto place = find_cgroup(options.proc, options.cgroups, pids.front())) out.cgroup = read_cgroup(*place);
    // The tree stands in for its group where nothing is counted for the group.
    if (!out.cgroup || out.cgroup->usage_us) return out;
    if (const auto tree = read_tree(list, options.proc, pids.front()))
        out.cgroup->usage_us = static_cast<std::uint64_t>(1e6 * static_cast<double>(tree->ticks) / ticks_per_second());
    return out;
}

}  // namespace

SampleMaker::SampleMaker(const SamplerOptions& options) : options_(options) {}

SampleMaker::~SampleMaker() = default;

std::optional<Sample> SampleMaker::look(double now) {
    auto counters = std::make_unique<Counters>(read_counters(options_, now));
    const auto before = std::exchange(last_, std::move(counters));
    if (!before || now <= before->at) return std::nullopt;
    const double seconds = now - before->at;
    Sample out;
    out.at_s = now;
    if (last_->machine && before->machine) out.machine = make_machine(*last_->machine, *before->machine, seconds);
    for (const auto& [pid, process] : last_->processes)
        if (const auto earlier = before->processes.find(pid); earlier != before->processes.end())
            out.processes.push_back(make_process(pid, process, earlier->second, seconds));
    if (last_->cgroup && before->cgroup) out.cgroup = make_cgroup(*last_->cgroup, *before->cgroup, seconds);
    return out;
}

}  // namespace plimsoll::load
