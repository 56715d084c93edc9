// What the load generator costs and how far its figures are from the truth, against the simulated model server in another process.
//
//   load_cost_bench [CASE]...          (whole, burst, paced, schedule, frozen, streams; default: all, streams first)
//
// Figures: processor time of this process a call, as the slope between two run lengths, with JSON, per-token times, statistics and
// requests.csv on; open streams asked for and seen by the server, with the memory; how late starts are at 5,000 a second; and the p99 it
// reports of a server that stands still for two seconds, beside what it must be.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "base/files.h"
#include "load/http_target.h"
#include "load/run_files.h"
#include "load/runner.h"
#include "load/summary.h"

extern char** environ;

namespace plimsoll {
namespace {

using load::from_seconds;

// The simulated server as a process of its own; ends with the object.
class Simulated {
  public:
    Simulated(const std::string& program, std::vector<std::string> flags) {
        std::vector<std::string> arguments = {program, "sim", "serve", "--port", "0"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        std::vector<char*> pointers;
        for (std::string& argument : arguments) pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        const int error = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, pointers.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        if (error != 0) throw std::runtime_error("cannot start " + program);
        std::string line;
        for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
        ::close(ends[0]);
        const std::size_t at = line.find("http://");
        if (at == std::string::npos) throw std::runtime_error("the simulated server did not start: " + line);
        url_ = line.substr(at) + "/v1";
    }
    ~Simulated() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Simulated(const Simulated&) = delete;
    Simulated& operator=(const Simulated&) = delete;

    const std::string& url() const { return url_; }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
    std::string url_;
};

double own_cpu_s() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

double own_peak_mb() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

struct Measured {
    load::LoadStats stats;
    load::LoadOutcome outcome;
};

Measured measure(const Simulated& server, const load::LoadPlan& plan, bool stream) {
    TemporaryFolder folder;
    const load::ScriptBook book = load::make_conversations({{"How much cargo can a ship carry safely, and who decides?"}}, {});
    auto spec = load::make_openai_spec(server.url(), true);
    spec.stream = stream;
    const auto target = load::make_http_target(spec);
    auto files = load::RunFiles::open(folder.path(), book, "sim", 0);
    if (!target || !files) throw std::runtime_error("cannot begin");
    load::LoadStats stats(plan);
    const auto outcome = load::run_load(plan, book, *target,
                                        {.on_progress = [&](const load::LoadProgress& progress) { stats.note_progress(progress); },
                                         .on_records =
                                             [&](const std::vector<load::SessionRecord>& sessions) {
                                                 for (const auto& session : sessions) stats.add(session);
                                                 files->add(sessions);
                                             }});
    if (!outcome) throw std::runtime_error(outcome.error().message);
    stats.finish(*outcome);
    if (stats.failed() > 0)
        fmt::print("  {} of {} calls failed: {}\n", stats.failed(), stats.calls(), stats.errors().begin()->second.example);
    return {std::move(stats), *outcome};
}

void cost_of_calls(const std::string& program, const char* name, std::vector<std::string> flags, bool stream, int users,
                   std::uint64_t calls) {
    const Simulated server(program, std::move(flags));
    load::LoadPlan plan;
    plan.users = users;
    std::vector<double> cpu;
    for (const std::uint64_t sessions : {calls / 4, calls / 4, calls}) {  // the first one warms up
        plan.max_sessions = sessions;
        const double before = own_cpu_s();
        measure(server, plan, stream);
        cpu.push_back(own_cpu_s() - before);
    }
    fmt::print("{:<38}{:>8.1f} µs CPU a call\n", name, 1e6 * (cpu[2] - cpu[1]) / static_cast<double>(calls - calls / 4));
}

void open_streams(const std::string& program, int streams) {
    const Simulated server(program, {"--ttft", "4", "--itl", "0", "--tokens", "4"});
    load::LoadPlan plan;
    plan.users = streams;
    plan.max_sessions = static_cast<std::uint64_t>(streams);
    const Measured result = measure(server, plan, true);
    fmt::print("{:<38}{:>8} in flight at once, {} well, {:.0f} MB peak, mean error of the first token {:.1f} ms\n",
               fmt::format("{} open streams asked for", streams), result.outcome.peak_calls,
               result.stats.calls() - result.stats.failed() - result.stats.unfinished(), own_peak_mb(),
               1e3 * (result.stats.raw_ttft().mean() - 4));
}

void schedule_error(const std::string& program, double rate) {
    const Simulated server(program, {"--ttft", "0.01", "--itl", "0", "--tokens", "4"});
    load::LoadPlan plan;
    plan.open = true;
    plan.duration = from_seconds(5);
    plan.warmup = from_seconds(1);
    plan.arrivals.stages = {{plan.duration, rate, rate}};
    const Measured result = measure(server, plan, false);
    const auto& late = result.stats.of(load::Metric::schedule_error);
    fmt::print("{:<38}{:>8.0f} calls/s, starts late by {} median, {} p99, {} at most; {} dropped\n",
               fmt::format("{:.0f} starts a second", rate), result.stats.rate(), load::duration_text(late.percentile(50)),
               load::duration_text(late.percentile(99)), load::duration_text(late.max()), result.outcome.dropped);
}

void frozen_server(const std::string& program) {
    constexpr double kRate = 200, kSeconds = 10, kTtft = 0.02;
    const Simulated server(program, {"--ttft", fmt::format("{}", kTtft), "--itl", "0", "--tokens", "2"});
    load::LoadPlan plan;
    plan.open = true;
    plan.duration = from_seconds(kSeconds);
    plan.arrivals.gaps = load::Gaps::constant;
    plan.arrivals.stages = {{plan.duration, kRate, kRate}};
    double frozen = 0;
    std::jthread freezer([&] {
        std::this_thread::sleep_for(std::chrono::seconds(4));
        const auto start = load::Clock::now();
        ::kill(server.pid(), SIGSTOP);
        std::this_thread::sleep_for(std::chrono::seconds(2));
        ::kill(server.pid(), SIGCONT);
        frozen = std::chrono::duration<double>(load::Clock::now() - start).count();
    });
    const Measured result = measure(server, plan, false);
    freezer.join();
    // Arrivals are even, so the slowest hundredth of all came within the first 1 % of the run's length after the stop; the last of them
    // waited for the rest of it and was then served.
    const double truth = frozen - kSeconds / 100 + kTtft;
    const double reported = result.stats.of(load::Metric::latency).percentile(99);
    fmt::print("{:<38}p99 reported {:.3f} s, must be {:.3f} s: {:+.1f} %\n", fmt::format("server frozen for {:.2f} s", frozen), reported,
               truth, 100 * (reported / truth - 1));
}

int run(const std::vector<std::string>& cases) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::string program = (std::filesystem::canonical("/proc/self/exe").parent_path() / "plimsoll").string();
    const auto wanted = [&](const char* name) { return cases.empty() || std::ranges::find(cases, name) != cases.end(); };
    if (wanted("streams")) open_streams(program, 9'900);  // first, since the peak of memory is the whole process'
    if (wanted("whole")) cost_of_calls(program, "whole answers", {"--ttft", "0", "--itl", "0", "--tokens", "32"}, false, 50, 20'000);
    if (wanted("burst"))
        cost_of_calls(program, "streams of 32 tokens, in a burst", {"--ttft", "0", "--itl", "0", "--tokens", "32"}, true, 50, 20'000);
    if (wanted("paced"))
        for (const int users : {100, 1000})
            cost_of_calls(program, fmt::format("{} streams of 32 tokens, 10 ms apart", users).c_str(),
                          {"--ttft", "0.01", "--itl", "0.01", "--tokens", "32"}, true, users,
                          (users == 100 ? 40 : 8) * static_cast<std::uint64_t>(users));
    if (wanted("schedule")) schedule_error(program, 5000);
    if (wanted("frozen")) frozen_server(program);
    return 0;
}

}  // namespace
}  // namespace plimsoll

int main(int argc, char** argv) {
    try {
        return plimsoll::run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
}
