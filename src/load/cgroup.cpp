#include "load/cgroup.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace plimsoll::load {
namespace {

namespace fs = std::filesystem;

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

// The group of the process in version 1's memory hierarchy.
std::optional<fs::path> find_memory(const std::vector<Membership>& memberships, const fs::path& cgroups) {
    const auto group = std::ranges::find_if(memberships, [](const Membership& membership) { return membership.has("memory"); });
    if (group == memberships.end()) return std::nullopt;
    for (const fs::path& folder : {cgroups / "memory" / group->inside, cgroups / "memory"})
        if (fs::exists(folder / "memory.usage_in_bytes")) return folder;
    return std::nullopt;
}

// "max", and what version 1 says instead, are no limit.
std::int64_t read_memory_limit(const fs::path& file) {
    constexpr std::int64_t kUnlimited = std::int64_t{1} << 60;
    const auto limit = to_number<std::int64_t>(read_text(file).value_or(""));
    return limit && *limit < kUnlimited ? *limit : -1;
}

}  // namespace

std::optional<CgroupPlace> find_cgroup(const fs::path& proc, const fs::path& cgroups, int pid) {
    const auto memberships = read_memberships(proc, pid);
    for (const Membership& group : memberships) {
        if (group.controllers.empty()) {
            // Inside a container the path is the host's; the container's own group is then the root.
            for (const fs::path& folder : {cgroups / group.inside, cgroups})
                if (fs::exists(folder / "cpu.stat") && fs::exists(folder / "cgroup.controllers"))
                    return CgroupPlace{.folder = folder, .accounting = folder, .memory = {}, .v2 = true};
        } else if (group.has("cpu")) {
            for (const fs::path& mount : {cgroups / group.controllers, cgroups / "cpu", cgroups / "cpu,cpuacct"})
                for (const bool at_root : {false, true}) {
                    const fs::path folder = at_root ? mount : mount / group.inside;
                    if (fs::exists(folder / "cpu.stat"))
                        return CgroupPlace{.folder = folder,
                                           .accounting = find_accounting(memberships, cgroups, group, folder, at_root),
                                           .memory = find_memory(memberships, cgroups)};
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
        out.memory_bytes = to_number<std::int64_t>(read_text(place.folder / "memory.current").value_or(""));
        out.memory_limit_bytes = read_memory_limit(place.folder / "memory.max");
        out.stall = read_stall(place.folder, ".pressure");
        return out;
    }
    constexpr std::uint64_t kNanosecondsPerMicrosecond = 1000;
    out.throttled_us = stat["throttled_time"] / kNanosecondsPerMicrosecond;
    const auto quota = to_number<double>(read_text(place.folder / "cpu.cfs_quota_us").value_or(""));
    const auto period = to_number<double>(read_text(place.folder / "cpu.cfs_period_us").value_or(""));
    if (quota && period && *quota > 0 && *period > 0) out.quota_cores = *quota / *period;
    if (place.memory) {
        out.memory_bytes = to_number<std::int64_t>(read_text(*place.memory / "memory.usage_in_bytes").value_or(""));
        out.memory_limit_bytes = read_memory_limit(*place.memory / "memory.limit_in_bytes");
    }
    if (!place.accounting) return out;
    if (const auto usage = to_number<std::uint64_t>(read_text(*place.accounting / "cpuacct.usage").value_or("")))
        out.usage_us = *usage / kNanosecondsPerMicrosecond;
    return out;
}

}  // namespace plimsoll::load
