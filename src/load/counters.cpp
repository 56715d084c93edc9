#include "load/counters.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

namespace plimsoll::load {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 1 << 20;

// Files of /proc have no size, so they are read to their end.
std::optional<std::string> read_text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text;
    char buffer[4096];
    while (text.size() < kMaxFileBytes && (file.read(buffer, sizeof buffer) || file.gcount() > 0))
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
    return text;
}

template <class T>
std::optional<T> to_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> out;
    for (std::string word; stream >> word;) out.push_back(std::move(word));
    return out;
}

// "key value" lines.
std::map<std::string, std::uint64_t> read_pairs(const fs::path& path) {
    std::map<std::string, std::uint64_t> out;
    const auto text = read_text(path);
    if (!text) return out;
    std::istringstream lines(*text);
    std::string key;
    std::uint64_t value = 0;
    while (lines >> key >> value) out[key] = value;
    return out;
}

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

std::optional<std::uint64_t> read_stall(const fs::path& proc) {
    const auto text = read_text(proc / "pressure" / "cpu");
    if (!text || !text->starts_with("some ")) return std::nullopt;
    constexpr std::string_view kTotal = "total=";
    const std::size_t at = text->find(kTotal);
    if (at == std::string::npos) return std::nullopt;
    return to_number<std::uint64_t>(std::string_view(*text).substr(at + kTotal.size()));
}

// A line of /proc/PID/cgroup: "4:cpu,cpuacct:/path" of version 1, "0::/path" of version 2.
struct Membership {
    std::string controllers;  // empty: version 2
    fs::path inside;          // relative to where the hierarchy is mounted

    bool has(std::string_view controller) const { return fmt::format(",{},", controllers).contains(fmt::format(",{},", controller)); }
};

std::vector<Membership> read_memberships(const fs::path& proc, int pid) {
    std::vector<Membership> out;
    std::istringstream lines(read_text(proc / std::to_string(pid) / "cgroup").value_or(""));
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        out.push_back({line.substr(first + 1, second - first - 1), fs::path(line.substr(second + 1)).relative_path()});
    }
    return out;
}

// Where version 1 counts the processor time of the group whose files are in `folder`: there, or in a hierarchy of its own, in which the
// process may well be in another group. Then nothing is counted for this one. `at_root`: in a container every mount shows the container's
// group as its root.
std::optional<fs::path> find_accounting(const std::vector<Membership>& memberships, const fs::path& cgroups, const Membership& cpu,
                                        const fs::path& folder, bool at_root) {
    if (fs::exists(folder / "cpuacct.usage")) return folder;
    const auto accounting = std::ranges::find_if(memberships, [](const Membership& group) { return group.has("cpuacct"); });
    if (accounting == memberships.end() || accounting->inside != cpu.inside) return std::nullopt;
    const fs::path place = at_root ? cgroups / "cpuacct" : cgroups / "cpuacct" / cpu.inside;
    return fs::exists(place / "cpuacct.usage") ? std::optional(place) : std::nullopt;
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
    out.stall_us = read_stall(proc);
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

std::optional<ProcessCounters> read_tree(const ProcessList& list, const fs::path& proc, int pid) {
    ProcessCounters out;
    std::vector<int> tree = {pid};
    bool found = false;
    for (std::size_t i = 0; i < tree.size() && tree.size() <= list.entries.size(); ++i) {
        for (const ProcessList::Entry& entry : list.entries) {
            if (entry.parent == tree[i] && entry.pid != tree[i]) tree.push_back(entry.pid);
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

std::optional<CgroupPlace> find_cgroup(const fs::path& proc, const fs::path& cgroups, int pid) {
    const auto memberships = read_memberships(proc, pid);
    for (const Membership& group : memberships) {
        if (group.controllers.empty()) {
            // Inside a container the path is the host's; the container's own group is then the root.
            for (const fs::path& folder : {cgroups / group.inside, cgroups})
                if (fs::exists(folder / "cpu.stat") && fs::exists(folder / "cgroup.controllers")) return CgroupPlace{folder, folder, true};
        } else if (group.has("cpu")) {
            for (const fs::path& mount : {cgroups / group.controllers, cgroups / "cpu", cgroups / "cpu,cpuacct"})
                for (const bool at_root : {false, true}) {
                    const fs::path folder = at_root ? mount : mount / group.inside;
                    if (fs::exists(folder / "cpu.stat"))
                        return CgroupPlace{folder, find_accounting(memberships, cgroups, group, folder, at_root), false};
                }
        }
    }
    return std::nullopt;
}

std::optional<CgroupCounters> read_cgroup(const CgroupPlace& place) {
    if (!fs::exists(place.folder / "cpu.stat")) return std::nullopt;
    auto stat = read_pairs(place.folder / "cpu.stat");
    CgroupCounters out;
    out.periods = stat["nr_periods"];
    out.throttled = stat["nr_throttled"];
    if (place.v2) {
        out.usage_us = stat["usage_usec"];
        out.throttled_us = stat["throttled_usec"];
        const auto limit = words_of(read_text(place.folder / "cpu.max").value_or("max"));
        const auto quota = limit.empty() ? std::nullopt : to_number<double>(limit[0]);
        const auto period = limit.size() < 2 ? std::nullopt : to_number<double>(limit[1]);
        if (quota && period && *period > 0) out.quota_cores = *quota / *period;
        return out;
    }
    constexpr std::uint64_t kNanosecondsPerMicrosecond = 1000;
    out.throttled_us = stat["throttled_time"] / kNanosecondsPerMicrosecond;
    const auto quota = to_number<double>(read_text(place.folder / "cpu.cfs_quota_us").value_or(""));
    const auto period = to_number<double>(read_text(place.folder / "cpu.cfs_period_us").value_or(""));
    if (quota && period && *quota > 0 && *period > 0) out.quota_cores = *quota / *period;
    if (!place.accounting) return out;
    if (const auto usage = to_number<std::uint64_t>(read_text(*place.accounting / "cpuacct.usage").value_or("")))
        out.usage_us = *usage / kNanosecondsPerMicrosecond;
    return out;
}

}  // namespace plimsoll::load
