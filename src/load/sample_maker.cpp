#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

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

MachineSample make_machine(const MachineCounters& now, const MachineCounters& before, double seconds) {
    MachineSample out;
    out.cores = now.cores;
    out.load1 = now.load1;
    if (const double total = grown(now.total, before.total); total > 0) {
        out.busy = std::clamp(1 - grown(now.idle, before.idle) / total, 0.0, 1.0);
        out.steal = grown(now.steal, before.steal) / total;
    }
    if (now.stall_us && before.stall_us) out.stall = std::min(1.0, 1e-6 * grown(*now.stall_us, *before.stall_us) / seconds);
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
            .throttled_cores = 1e-6 * grown(now.throttled_us, before.throttled_us) / seconds};
}

Counters read_counters(const SamplerOptions& options, double now) {
    Counters out;
    out.at = now;
    out.machine = read_machine(options.proc);
    const ProcessList list = read_processes(options.proc);
    std::vector<int> pids = options.pids;
    pids.push_back(::getpid());
    for (const int pid : pids)
        if (auto tree = read_tree(list, options.proc, pid)) out.processes[pid] = std::move(*tree);
    if (const auto place = find_cgroup(options.proc, options.cgroups, pids.front())) out.cgroup = read_cgroup(*place);
    // The tree stands in for its group where nothing is counted for the group.
    if (const auto tree = out.processes.find(pids.front()); out.cgroup && !out.cgroup->usage_us && tree != out.processes.end())
        out.cgroup->usage_us = static_cast<std::uint64_t>(1e6 * static_cast<double>(tree->second.ticks) / ticks_per_second());
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

std::string samples_csv(const SampleLog& log) {
    std::map<int, std::string> pids;
    for (const Sample& sample : log.samples)
        for (const ProcessSample& process : sample.processes)
            pids[process.pid] = process.is_self ? "self" : fmt::format("pid{}", process.pid);
    std::string out = "at_s,machine_busy,machine_steal,load1,psi_cpu_some,cgroup_quota_cores,cgroup_usage_cores,cgroup_throttled_share";
    for (const auto& [pid, name] : pids) out += fmt::format(",{0}_cores,{0}_hottest_thread,{0}_run_queue,{0}_rss_mb", name);
    out += ",server_running,server_waiting,server_kv_usage,gpu_utilization_mean\n";
    const auto number = [](const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : std::string(); };
    for (const Sample& sample : log.samples) {
        const MachineSample machine = sample.machine.value_or(MachineSample{});
        out += sample.machine ? fmt::format("{:.3f},{:.3f},{:.3f},{:.2f},{}", sample.at_s, machine.busy, machine.steal, machine.load1,
                                            number(machine.stall))
                              : fmt::format("{:.3f},,,,", sample.at_s);
        if (sample.cgroup) {
            const CgroupSample& group = *sample.cgroup;
            const double share = group.periods > 0 ? static_cast<double>(group.throttled) / static_cast<double>(group.periods) : 0;
            out += fmt::format(",{},{:.3f},{:.3f}", group.quota_cores >= 0 ? fmt::format("{:g}", group.quota_cores) : "", group.usage_cores,
                               share);
        } else {
            out += ",,,";
        }
        for (const auto& [pid, name] : pids) {
            const auto process = std::ranges::find(sample.processes, pid, &ProcessSample::pid);
            out += process == sample.processes.end() ? ",,,,"
                                                     : fmt::format(",{:.3f},{:.3f},{:.3f},{:.1f}", process->cores, process->hottest_thread,
                                                                   process->waiting, static_cast<double>(process->rss_bytes) / (1 << 20));
        }
        const ServerSample server = sample.server.value_or(ServerSample{});
        out += fmt::format(",{},{},{}", number(server.running), number(server.waiting), number(server.kv_usage));
        std::optional<double> gpu;
        for (const GpuSample& one : sample.gpus) gpu = gpu.value_or(0) + one.utilization / static_cast<double>(sample.gpus.size());
        out += fmt::format(",{}\n", number(gpu));
    }
    return out;
}

}  // namespace plimsoll::load
