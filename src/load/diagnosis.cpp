#include "load/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/stats.h"
#include "load/duration_text.h"

namespace plimsoll::load {
namespace {

// Where "high" begins. Shares of 1.
constexpr double kThrottled = 0.10;       // of the scheduler's periods: users notice from here
constexpr std::int64_t kFewPeriods = 10;  // a second of the usual period of 100 ms
constexpr double kCounterNoise = 0.02;    // cores: a tick of 10 ms more or less in a second
constexpr double kBusy = 0.90;            // of all cores
// Something that now and then waits for a core is no busy machine: both must be.
constexpr double kStalled = 0.25;          // of the time
constexpr double kBusyWhenStalled = 0.70;  // of all cores
constexpr double kStolen = 0.10;
constexpr double kOneCore = 0.90, kOneCoreTop = 1.15;  // a process that fills one core and no more
constexpr double kHotThread = 0.85;
constexpr double kFull = 0.95;         // of a server's limit
constexpr double kOften = 0.5;         // of the samples
constexpr double kOwnCore = 0.90;      // of each thread of ours
constexpr double kRefused = 0.10;      // of the calls
constexpr std::uint64_t kFewLost = 3;  // calls that could not connect

// What the samples say as a whole.
struct Picture {
    int cores = 0;
    std::vector<double> busy, steal, stall;
    std::int64_t periods = 0, throttled = 0;
    std::vector<double> demand;  // cores the control group wanted: used and waited for
    double quota = -1;
    double usage = 0;
    std::map<int, std::vector<ProcessSample>> processes;
    std::vector<double> running, waiting, kv;
    std::optional<double> max_running;

    double throttled_share() const { return periods < kFewPeriods ? 0 : static_cast<double>(throttled) / static_cast<double>(periods); }
    bool is_busy() const { return mean(busy) > kBusy || mean(steal) > kStolen; }
};

Picture make_picture(const std::deque<Sample>& samples) {
    Picture out;
    std::vector<double> usage;
    for (const Sample& sample : samples) {
        if (const auto& machine = sample.machine) {
            out.cores = machine->cores;
            out.busy.push_back(machine->busy);
            out.steal.push_back(machine->steal);
            if (machine->stall) out.stall.push_back(*machine->stall);
        }
        if (const auto& group = sample.cgroup) {
            out.periods += group->periods;
            out.throttled += group->throttled;
            out.quota = group->quota_cores;
            usage.push_back(group->usage_cores);
            out.demand.push_back(group->usage_cores + group->throttled_cores);
        }
        for (const ProcessSample& process : sample.processes) out.processes[process.pid].push_back(process);
        if (const auto& server = sample.server) {
            if (server->running) out.running.push_back(*server->running);
            if (server->waiting) out.waiting.push_back(*server->waiting);
            if (server->kv_usage) out.kv.push_back(*server->kv_usage);
            if (server->max_running) out.max_running = server->max_running;
        }
    }
    out.usage = mean(usage);
    return out;
}

double percent(double share) { return 100 * share; }

double share_of(const std::vector<double>& values, double above) {
    if (values.empty()) return 0;
    return static_cast<double>(std::ranges::count_if(values, [above](double v) { return v > above; })) / static_cast<double>(values.size());
}

// True when what the calls met was no service at all.
bool check_target(const TargetFailures& failures, std::vector<Finding>& out) {
    if (failures.unreachable >= kFewLost) {
        const std::string since = failures.last_good_s < 0
                                      ? std::string("no call was answered")
                                      : fmt::format("no call was answered after second {:.0f} of the run", failures.last_good_s);
        out.push_back(
            {Cause::target_gone, fmt::format("Target gone: {}, {} could not connect ({}). Is it running, and did it end by itself "
                                             "(out of memory, killed, restarted)?",
                                             since, failures.unreachable, failures.connect_error)});
        return true;
    }
    const double share = failures.calls == 0 ? 0 : static_cast<double>(failures.refused) / static_cast<double>(failures.calls);
    if (share <= kRefused) return false;
    out.push_back({Cause::target_refuses,
                   fmt::format("Target refuses: it answered {:.0f} % of the calls ({} of {}) with an error, mostly {}. Its limits, its "
                               "authentication or its own failures come first; the times of the other calls are not those of a full load.",
                               percent(share), failures.refused, failures.calls, failures.refusal)});
    return true;
}

void check_limit(const Picture& picture, std::vector<Finding>& out) {
    const double share = picture.throttled_share();
    if (share <= kThrottled || mean(picture.busy) > kBusy) return;
    // Tenths of a core, rounded up: what a Kubernetes limit is usually written in. A hair above one is the counters' own resolution.
    const double wanted = std::ceil(10 * (percentile(picture.demand, 99) - kCounterNoise)) / 10;
    const std::string limit = picture.quota > 0 ? fmt::format("{:.2g} cores", picture.quota) : "not readable";
    out.push_back(
        {Cause::cpu_limit_too_low,
         fmt::format("CPU limit too low: the control group was stopped in {:.0f} % of its scheduling periods ({} of {}) while the "
                     "machine was {:.0f} % busy; limit {}, used {:.2f} cores on average. Set resources.limits.cpu to {:.1f} "
                     "(what it used and waited for at p99), or remove the limit.",
                     percent(share), picture.throttled, picture.periods, percent(mean(picture.busy)), limit, picture.usage,
                     std::max(wanted, 0.1))});
}

void check_node(const Picture& picture, std::vector<Finding>& out) {
    const bool waits = !picture.stall.empty() && mean(picture.stall) > kStalled && mean(picture.busy) > kBusyWhenStalled &&
                       picture.throttled_share() <= kThrottled;
    if (picture.busy.empty() || (!picture.is_busy() && !waits)) return;
    // Stopped by its limit, a group waits too; that is the limit's doing unless the cores are really in use.
    std::string text = fmt::format("Node busy: its {} cores were {:.0f} % in use", picture.cores, percent(mean(picture.busy)));
    if (!picture.stall.empty())
        text += fmt::format(", something waited for a core {:.0f} % of the time (PSI)", percent(mean(picture.stall)));
    if (mean(picture.steal) > kStolen)
        text += fmt::format(", {:.0f} % taken by other virtual machines (steal)", percent(mean(picture.steal)));
    out.push_back({Cause::node_busy, text + ". More or idler cores help; a higher limit does not."});
}

void check_processes(const Picture& picture, bool self_too, std::vector<Finding>& out) {
    if (picture.is_busy() || picture.throttled_share() > kThrottled || picture.cores < 2) return;
    for (const auto& [pid, looks] : picture.processes) {
        if (looks.front().is_self && !self_too) continue;
        std::vector<double> cores, thread;
        for (const ProcessSample& look : looks) {
            cores.push_back(look.cores);
            thread.push_back(look.hottest_thread);
        }
        const double used = percentile(cores, 50);
        if (used < kOneCore || used > kOneCoreTop) continue;
        const bool one_thread = percentile(thread, 50) >= kHotThread;
        out.push_back(
            {Cause::cpu_bound_code,
             fmt::format("CPU-bound code: {} (pid {}) used {:.2f} cores at the median{} with {} cores there and no throttling. One "
                         "core is all it takes{}; run more processes of it.",
                         looks.front().name, pid, used,
                         one_thread ? fmt::format(", {:.2f} of it in one thread", percentile(thread, 50)) : "", picture.cores,
                         one_thread ? "" : ", shared by threads in turn, as under Python's global lock")});
    }
}

void check_server(const Picture& picture, std::vector<Finding>& out) {
    const double queued = share_of(picture.waiting, 0);
    const bool at_limit =
        picture.max_running && !picture.running.empty() && percentile(picture.running, 50) >= kFull * *picture.max_running;
    const bool kv_full = !picture.kv.empty() && percentile(picture.kv, 90) >= kFull;
    if (queued <= kOften && !at_limit && !kv_full) return;
    std::string text = "Model server saturated:";
    if (queued > 0)
        text += fmt::format(" requests waited in its queue in {:.0f} % of the looks ({:.1f} on average, {:.0f} at most);", percent(queued),
                            mean(picture.waiting), std::ranges::max(picture.waiting));
    if (!picture.running.empty())
        text += fmt::format(" {:.1f} ran at once on average{};", mean(picture.running),
                            picture.max_running ? fmt::format(" of at most {:.0f}", *picture.max_running) : "");
    if (!picture.kv.empty()) text += fmt::format(" its KV cache was {:.0f} % full at p90;", percent(percentile(picture.kv, 90)));
    out.push_back({Cause::model_server_saturated, text + " more replicas, or a higher limit of sequences if memory allows."});
}

void check_client(const DiagnosisInput& input, const Picture& picture, std::vector<Finding>& out) {
    std::vector<double> own;
    for (const auto& [pid, looks] : picture.processes)
        for (const ProcessSample& look : looks)
            if (look.is_self) own.push_back(look.cores);
    const double used = own.empty() ? 0 : percentile(own, 50);
    const bool busy = used >= kOwnCore * input.threads && !input.agent_in_process;
    const bool late = input.open_loop && input.schedule_error_p99_s > input.schedule_error_limit_s;
    if (!busy && !late) return;
    out.push_back(
        {Cause::client_saturated,
         fmt::format("Load generator saturated: it used {:.2f} cores with {} io thread{}, and its starts were {} late at p99. Its figures "
                     "are not the server's; give it --threads, cores of its own or a smaller load.",
                     used, input.threads, input.threads == 1 ? "" : "s", duration_text(input.schedule_error_p99_s))});
}

}  // namespace

std::string_view to_string(Cause cause) {
    switch (cause) {
        case Cause::target_gone: return "target_gone";
        case Cause::target_refuses: return "target_refuses";
        case Cause::cpu_limit_too_low: return "cpu_limit_too_low";
        case Cause::node_busy: return "node_busy";
        case Cause::cpu_bound_code: return "cpu_bound_code";
        case Cause::model_server_saturated: return "model_server_saturated";
        case Cause::client_saturated: return "client_saturated";
    }
    return "";
}

TargetFailures find_failures(const LoadStats& stats) {
    TargetFailures out;
    out.calls = stats.calls();
    std::uint64_t most = 0;
    for (const auto& [kind, error] : stats.errors()) {
        if (kind == to_string(ErrorCode::connect)) out.connect_error = error.example;
        if (!kind.starts_with("http ")) continue;
        out.refused += error.count;
        if (error.count <= most) continue;
        most = error.count;
        out.refusal = error.example;
    }
    const auto& seconds = stats.timeline();
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        if (seconds[i].ended > seconds[i].failed) {
            out.last_good_s = static_cast<double>(i);
            out.unreachable = 0;
        } else {
            out.unreachable += seconds[i].unreachable;
        }
    }
    return out;
}

std::vector<Finding> diagnose(const DiagnosisInput& input) {
    std::vector<Finding> out;
    const Picture picture = make_picture(input.samples);
    if (!check_target(input.failures, out)) check_client(input, picture, out);
    check_limit(picture, out);
    check_server(picture, out);
    check_processes(picture, input.agent_in_process, out);
    check_node(picture, out);
    return out;
}

}  // namespace plimsoll::load
