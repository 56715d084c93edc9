#include "load/counters.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string_view>

namespace plimsoll::load {
namespace {

namespace fs = std::filesystem;

// Fields of a stat file after the command, which may hold spaces and parentheses. Field n of proc(5) is at n - 3.
struct StatLine {
    std::string name;
    std::vector<std::string> fields;

    std::uint64_t number(std::size_t field) const {
        constexpr std::size_t kFirst = 3;
        return field - kFirst < fields.size() ? to_number<std::uint64_t>(fields[field - kFirst]).value_or(0) : 0;
    }
};

constexpr std::size_t kParent = 4, kUserTicks = 14, kSystemTicks = 15, kResidentPages = 24;

std::optional<StatLine> read_stat(const fs::path& path) {
    const auto text = read_text(path);
    if (!text) return std::nullopt;
    const std::size_t open = text->find('('), close = text->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
    return StatLine{text->substr(open + 1, close - open - 1), words_of(text->substr(close + 1))};
}

constexpr std::int64_t kKibibyte = 1024;

// "MemTotal:  16303428 kB"; absent when there is no such line.
std::optional<std::int64_t> read_meminfo(const std::string& text, std::string_view name) {
    const std::size_t at = text.find(name);
    if (at == std::string::npos) return std::nullopt;
    const auto words = words_of(text.substr(at + name.size(), text.find('\n', at) - at - name.size()));
    const auto value = words.empty() ? std::nullopt : to_number<std::int64_t>(words.front());
    return value ? std::optional(*value * kKibibyte) : std::nullopt;
}

}  // namespace

std::optional<MachineCounters> read_machine(const fs::path& proc) {
    const auto text = read_text(proc / "stat");
    if (!text) return std::nullopt;
    MachineCounters out;
    std::istringstream lines(*text);
    bool has_total = false;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("cpu")) break;
        const auto words = words_of(line);
        if (words.front() != "cpu") {
            ++out.cores;
            continue;
        }
        // user nice system idle iowait irq softirq steal; guest times are in user already.
        constexpr std::size_t kIdle = 4, kIowait = 5, kSteal = 8;
        for (std::size_t i = 1; i < words.size() && i <= kSteal; ++i) {
            const std::uint64_t ticks = to_number<std::uint64_t>(words[i]).value_or(0);
            out.total += ticks;
            if (i == kIdle || i == kIowait) out.idle += ticks;
            if (i == kSteal) out.steal = ticks;
        }
        has_total = true;
    }
    if (!has_total) return std::nullopt;
    if (const auto load = read_text(proc / "loadavg")) out.load1 = to_number<double>(*load).value_or(0);
    out.stall = read_stall(proc / "pressure", "");
    const std::string memory = read_text(proc / "meminfo").value_or("");
    const auto total = read_meminfo(memory, "MemTotal:"), available = read_meminfo(memory, "MemAvailable:");
    out.memory_bytes = total.value_or(0);
    if (total && available) out.memory_used_bytes = *total - *available;
    return out;
}

ProcessList read_processes(const fs::path& proc) {
    ProcessList list;
    std::error_code error;
    for (auto entry = fs::directory_iterator(proc, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const auto pid = to_number<int>(entry->path().filename().string());
        if (!pid || list.entries.size() >= kMaxProcessesRead) continue;
        const auto stat = read_stat(entry->path() / "stat");
        if (!stat) continue;  // it has ended meanwhile
        list.entries.push_back({*pid, static_cast<int>(stat->number(kParent)), stat->name,
                                stat->number(kUserTicks) + stat->number(kSystemTicks),
                                static_cast<std::int64_t>(stat->number(kResidentPages)) * ::sysconf(_SC_PAGESIZE)});
    }
    return list;
}

std::optional<ProcessCounters> read_tree(const ProcessList& list, const fs::path& proc, int pid, std::span<const int> apart) {
    ProcessCounters out;
    std::vector<int> tree = {pid};
    bool found = false;
    for (std::size_t i = 0; i < tree.size() && tree.size() <= list.entries.size(); ++i) {
        for (const ProcessList::Entry& entry : list.entries) {
            if (entry.parent == tree[i] && entry.pid != tree[i] && std::ranges::find(apart, entry.pid) == apart.end())
                tree.push_back(entry.pid);
            if (entry.pid != tree[i]) continue;
            if (entry.pid == pid) {
                found = true;
                out.name = entry.name;
            }
            out.ticks += entry.ticks;
            out.rss_bytes += entry.rss_bytes;
            ++out.processes;
        }
    }
    if (!found) return std::nullopt;
    const fs::path folder = proc / std::to_string(pid);
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder / "task", error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
        if (out.threads.size() >= kMaxThreadsRead) break;
        const auto id = to_number<int>(entry->path().filename().string());
        const auto stat = read_stat(entry->path() / "stat");
        if (!id || !stat) continue;  // it has ended meanwhile
        out.threads.emplace_back(*id, stat->number(kUserTicks) + stat->number(kSystemTicks));
        // "time on the processor, time waiting for it, slices"
        if (const auto words = words_of(read_text(entry->path() / "schedstat").value_or("")); words.size() > 1)
            out.waiting_ns += to_number<std::uint64_t>(words[1]).value_or(0);
    }
    return out;
}

double ticks_per_second() { return static_cast<double>(::sysconf(_SC_CLK_TCK)); }

}  // namespace plimsoll::load
