#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "load/sampler.h"

namespace plimsoll::load {
namespace {

constexpr double kMebibyte = 1 << 20;

// A column and what it says of a sample; nothing leaves the field empty.
struct Column {
    std::string name;
    std::function<std::optional<double>(const Sample&)> value;
};

std::optional<double> mebibytes(const std::optional<std::int64_t>& bytes) {
    return bytes ? std::optional(static_cast<double>(*bytes) / kMebibyte) : std::nullopt;
}

void add_machine(std::vector<Column>& columns) {
    const auto add = [&](const char* name, std::function<std::optional<double>(const MachineSample&)> value) {
        columns.push_back(
            {name, [value = std::move(value)](const Sample& sample) { return sample.machine ? value(*sample.machine) : std::nullopt; }});
    };
    add("machine_busy", [](const MachineSample& machine) { return machine.busy; });
    add("machine_steal", [](const MachineSample& machine) { return machine.steal; });
    add("load1", [](const MachineSample& machine) { return machine.load1; });
    add("psi_cpu_some", [](const MachineSample& machine) { return machine.stall; });
    add("psi_memory_some", [](const MachineSample& machine) { return machine.memory_stall; });
    add("psi_io_some", [](const MachineSample& machine) { return machine.io_stall; });
    add("machine_memory_used_mb", [](const MachineSample& machine) { return mebibytes(machine.memory_used_bytes); });
    add("machine_memory_total_mb",
        [](const MachineSample& machine) { return machine.memory_bytes > 0 ? mebibytes(machine.memory_bytes) : std::nullopt; });
}

void add_cgroup(std::vector<Column>& columns) {
    const auto add = [&](const char* name, std::function<std::optional<double>(const CgroupSample&)> value) {
        columns.push_back(
            {name, [value = std::move(value)](const Sample& sample) { return sample.cgroup ? value(*sample.cgroup) : std::nullopt; }});
    };
    add("cgroup_quota_cores",
        [](const CgroupSample& group) { return group.quota_cores >= 0 ? std::optional(group.quota_cores) : std::nullopt; });
    add("cgroup_usage_cores", [](const CgroupSample& group) { return group.usage_cores; });
    add("cgroup_throttled_share", [](const CgroupSample& group) {
        return group.periods > 0 ? static_cast<double>(group.throttled) / static_cast<double>(group.periods) : 0;
    });
    add("cgroup_cpu_some", [](const CgroupSample& group) { return group.stall; });
    add("cgroup_memory_some", [](const CgroupSample& group) { return group.memory_stall; });
    add("cgroup_io_some", [](const CgroupSample& group) { return group.io_stall; });
    add("cgroup_memory_mb", [](const CgroupSample& group) { return mebibytes(group.memory_bytes); });
    add("cgroup_memory_limit_mb",
        [](const CgroupSample& group) { return group.memory_limit_bytes >= 0 ? mebibytes(group.memory_limit_bytes) : std::nullopt; });
}

// "agent (main)" and 42 are "agent-main-42": a word for a heading.
std::string heading_of(const ProcessSample& process) {
    std::string out;
    for (const char c : process.name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
        if (plain)
            out += c;
        else if (!out.empty() && out.back() != '-')
            out += '-';
    }
    if (out.empty() || out.back() != '-') out += '-';
    return fmt::format("{}{}", out, process.pid);
}

void add_process(std::vector<Column>& columns, int pid, const std::string& name) {
    const auto add = [&](const char* what, std::function<double(const ProcessSample&)> value) {
        columns.push_back({name + what, [pid, value = std::move(value)](const Sample& sample) -> std::optional<double> {
                               const auto process = std::ranges::find(sample.processes, pid, &ProcessSample::pid);
                               if (process == sample.processes.end()) return std::nullopt;
                               return value(*process);
                           }});
    };
    add("_cores", [](const ProcessSample& process) { return process.cores; });
    add("_hottest_thread", [](const ProcessSample& process) { return process.hottest_thread; });
    add("_run_queue", [](const ProcessSample& process) { return process.waiting; });
    add("_rss_mb", [](const ProcessSample& process) { return static_cast<double>(process.rss_bytes) / kMebibyte; });
}

// `which` of Sample::servers; < 0: all together.
void add_server(std::vector<Column>& columns, int which) {
    const std::string name = which < 0 ? "server" : fmt::format("server{}", which + 1);
    for (const auto& [what, member] : {std::pair("_running", &ServerSample::running), std::pair("_waiting", &ServerSample::waiting),
                                       std::pair("_kv_usage", &ServerSample::kv_usage)})
        columns.push_back({name + what, [which, member](const Sample& sample) -> std::optional<double> {
                               const auto index = static_cast<std::size_t>(which);
                               if (which >= 0 && index >= sample.servers.size()) return std::nullopt;
                               const auto& server = which < 0 ? sample.server : sample.servers[index];
                               return server ? *server.*member : std::nullopt;
                           }});
}

void add_gpu(std::vector<Column>& columns, int index) {
    const auto add = [&](const char* what, std::function<double(const GpuSample&)> value) {
        columns.push_back(
            {fmt::format("gpu{}{}", index, what), [index, value = std::move(value)](const Sample& sample) -> std::optional<double> {
                 const auto gpu = std::ranges::find(sample.gpus, index, &GpuSample::index);
                 if (gpu == sample.gpus.end()) return std::nullopt;
                 return value(*gpu);
             }});
    };
    add("_utilization", [](const GpuSample& gpu) { return gpu.utilization; });
    add("_memory_used_mb", [](const GpuSample& gpu) { return gpu.memory_used / kMebibyte; });
    add("_memory_total_mb", [](const GpuSample& gpu) { return gpu.memory_total / kMebibyte; });
    add("_power_w", [](const GpuSample& gpu) { return gpu.power_w; });
}

std::optional<double> mean_utilization(const Sample& sample) {
    if (sample.gpus.empty()) return std::nullopt;
    double sum = 0;
    for (const GpuSample& gpu : sample.gpus) sum += gpu.utilization;
    return sum / static_cast<double>(sample.gpus.size());
}

}  // namespace

std::string samples_csv(const SampleLog& log) {
    std::map<int, std::string> pids;
    std::set<int> gpus;
    std::size_t servers = 0;
    for (const Sample& sample : log.samples) {
        for (const ProcessSample& process : sample.processes) pids[process.pid] = process.is_self ? "self" : heading_of(process);
        for (const GpuSample& gpu : sample.gpus) gpus.insert(gpu.index);
        servers = std::max(servers, sample.servers.size());
    }
    std::vector<Column> columns;
    add_machine(columns);
    add_cgroup(columns);
    for (const auto& [pid, name] : pids) add_process(columns, pid, name);
    add_server(columns, -1);
    for (std::size_t i = 0; i < servers; ++i) add_server(columns, static_cast<int>(i));
    columns.push_back({"gpu_utilization_mean", mean_utilization});
    for (const int gpu : gpus) add_gpu(columns, gpu);

    std::string out = "at_s";
    for (const Column& column : columns) out += "," + column.name;
    for (const Sample& sample : log.samples) {
        fmt::format_to(std::back_inserter(out), "\n{:.3f}", sample.at_s);
        for (const Column& column : columns) {
            const auto value = column.value(sample);
            out += ',';
            if (value) fmt::format_to(std::back_inserter(out), "{:.6g}", *value);
        }
    }
    return out + "\n";
}

}  // namespace plimsoll::load
