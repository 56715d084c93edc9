// What the load generator costs and how far its figures are from the truth, against truth_server in another process.
//
//   load_cost_bench [CASE]...          (whole, burst, paced, ttft, schedule, frozen, streams; default: all, streams first)
//
// Figures: processor time of this process a call, as the slope between two run lengths, with JSON, per-token times, statistics and
// requests.csv on, beside a bare client that reads bytes and does nothing else; how much later than the server sent it the first token
// is reported; open streams asked for and seen by the server, with the memory; how late starts are at 5,000 a second; and the p99 it
// reports of a server that stands still for two seconds, beside what it must be.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "load/http_target.h"
#include "load/run_files.h"
#include "load/runner.h"
#include "load/summary.h"

extern char** environ;

namespace plimsoll {
namespace {

using load::from_seconds;

// A blocking connection.
int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("cannot connect");
    return fd;
}

// The server has one core and the client the other, so that no figure depends on where the kernel last put them.
void keep_on_core(int core, pid_t pid) {
    if (std::thread::hardware_concurrency() < 2) return;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    (void)::sched_setaffinity(pid, sizeof cores, &cores);  // a figure is only noisier without
}

// truth_server as a process of its own; ends with the object.
class Server {
  public:
    Server(double ttft_ms, double itl_ms, int tokens) {
        const std::string program = (std::filesystem::canonical("/proc/self/exe").parent_path() / "truth_server").string();
        std::vector<std::string> arguments = {program, fmt::format("{}", ttft_ms), fmt::format("{}", itl_ms), fmt::format("{}", tokens)};
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
        keep_on_core(0, pid_);
        std::string line;
        for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
        ::close(ends[0]);
        const std::size_t at = line.find("http://");
        if (at == std::string::npos) throw std::runtime_error("the simulated server did not start: " + line);
        url_ = line.substr(at);
    }
    ~Server() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::string url() const { return url_ + "/v1"; }
    std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1))); }
    pid_t pid() const { return pid_; }
    // A figure of what it saw since the last one was asked for.
    json::value take_stats() const {
        const int fd = connect_to(port());
        const std::string request = "GET /stats HTTP/1.1\r\n\r\n";
        std::array<char, 1024> buffer{};
        if (::send(fd, request.data(), request.size(), 0) < 0) throw std::runtime_error("truth_server does not answer");
        const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
        ::close(fd);
        const std::string_view answer(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, count)));
        return parse_json(answer.substr(answer.find('{'))).value();
    }

  private:
    pid_t pid_ = -1;
    std::string url_;
};

// Seconds that this process' threads waited for a core although they could run.
double waited_for_core_s() {
    double seconds = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        const auto text = load_file(task.path() / "schedstat");
        if (text && text->contains(' ')) seconds += 1e-9 * std::stod(text->substr(text->find(' ') + 1));
    }
    return seconds;
}

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

Measured measure(const Server& server, const load::LoadPlan& plan, bool stream) {
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

// The floor: `users` connections in one epoll set, each asks again as soon as its answer has ended, told by its last bytes.
void run_bare_client(const Server& server, bool stream, int users, std::uint64_t calls) {
    const std::string body = fmt::format(R"({{"messages":[{{"role":"user","content":"hello"}}]{}}})", stream ? R"(,"stream":true)" : "");
    const std::string request =
        fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    std::uint64_t asked = 0, answered = 0;
    std::vector<int> fds;
    for (int i = 0; i < users; ++i, ++asked) {
        fds.push_back(connect_to(server.port()));
        epoll_event event{.events = EPOLLIN, .data = {.fd = fds.back()}};
        ::epoll_ctl(set, EPOLL_CTL_ADD, fds.back(), &event);
        if (::send(fds.back(), request.data(), request.size(), 0) < 0) throw std::runtime_error("send");
    }
    std::array<epoll_event, 256> events;
    std::array<char, 65'536> buffer;
    while (answered < calls) {
        const int count = ::epoll_wait(set, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size)));
            if (!bytes.ends_with(stream ? "0\r\n\r\n" : "}")) continue;
            ++answered;
            if (asked < calls && ++asked && ::send(fd, request.data(), request.size(), 0) < 0) throw std::runtime_error("send");
        }
    }
    for (const int fd : fds) ::close(fd);
    ::close(set);
}

template <class Work>
double cpu_a_call(std::uint64_t calls, Work work) {
    std::vector<double> cpu;
    for (const std::uint64_t n : {calls / 4, calls / 4, calls}) {  // the first one warms up
        const double before = own_cpu_s();
        work(n);
        cpu.push_back(own_cpu_s() - before);
    }
    return 1e6 * (cpu[2] - cpu[1]) / static_cast<double>(calls - calls / 4);
}

void cost_of_calls(const std::string& name, double ttft_ms, double itl_ms, bool stream, int users, std::uint64_t calls) {
    const Server server(ttft_ms, itl_ms, 32);
    load::LoadPlan plan;
    plan.users = users;
    const double bare = cpu_a_call(calls, [&](std::uint64_t n) { run_bare_client(server, stream, users, n); });
    const double own = cpu_a_call(calls, [&](std::uint64_t n) {
        plan.max_sessions = n;
        measure(server, plan, stream);
    });
    fmt::print("{:<42}{:>8.1f} µs CPU a call, a bare client {:.1f} ({:.2f} x)\n", name, own, bare, own / bare);
}

double figure(const json::value& stats, const char* key) { return get_number(stats, key).value_or(0); }

// Every user starts at once, so the ramp is in it.
void first_token_error(int streams) {
    const Server server(100, 10, 32);
    load::LoadPlan plan;
    plan.users = streams;
    plan.max_sessions = 8 * static_cast<std::uint64_t>(streams);
    server.take_stats();
    const double waited = waited_for_core_s();
    const Measured result = measure(server, plan, true);
    const double waited_here = waited_for_core_s() - waited;
    const auto stats = server.take_stats();
    const auto& reported = result.stats.raw_ttft();
    fmt::print("{:<42}mean {:+.3f} ms, median {:+.3f} ms (server {:.3f} ms); waited {:.2f} s for a core meanwhile\n",
               fmt::format("first token of {} streams, reported - sent", streams), 1e3 * reported.mean() - figure(stats, "ttft_mean_ms"),
               1e3 * reported.percentile(50) - figure(stats, "ttft_p50_ms"), figure(stats, "ttft_mean_ms"), waited_here);
}

void open_streams(int streams) {
    const Server server(4000, 0, 4);
    load::LoadPlan plan;
    plan.users = streams;
    plan.max_sessions = static_cast<std::uint64_t>(streams);
    const Measured result = measure(server, plan, true);
    fmt::print("{:<42}{:>8.0f} seen open at once by the server, {} well, {:.0f} MB peak\n",
               fmt::format("{} open streams asked for", streams), figure(server.take_stats(), "peak_open"),
               result.stats.calls() - result.stats.failed() - result.stats.unfinished(), own_peak_mb());
}

void schedule_error(double rate) {
    const Server server(10, 0, 4);
    load::LoadPlan plan;
    plan.open = true;
    plan.duration = from_seconds(5);
    plan.warmup = from_seconds(1);
    plan.arrivals.stages = {{plan.duration, rate, rate}};
    const Measured result = measure(server, plan, false);
    const auto& late = result.stats.of(load::Metric::schedule_error);
    fmt::print("{:<42}{:>8.0f} calls/s, starts late by {} median, {} p99, {} at most; {} dropped\n",
               fmt::format("{:.0f} starts a second", rate), result.stats.rate(), load::duration_text(late.percentile(50)),
               load::duration_text(late.percentile(99)), load::duration_text(late.max()), result.outcome.dropped);
}

void frozen_server() {
    constexpr double kRate = 200, kSeconds = 10, kTtft = 0.02;
    const Server server(1e3 * kTtft, 0, 2);
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
    fmt::print("{:<42}p99 reported {:.3f} s, must be {:.3f} s: {:+.1f} %\n", fmt::format("server frozen for {:.2f} s", frozen), reported,
               truth, 100 * (reported / truth - 1));
}

int run(const std::vector<std::string>& cases) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    keep_on_core(1, 0);
    const auto wanted = [&](const char* name) { return cases.empty() || std::ranges::find(cases, name) != cases.end(); };
    if (wanted("streams")) open_streams(10'000);  // first, since the peak of memory is the whole process'
    if (wanted("whole")) cost_of_calls("whole answers, 50 users", 0, 0, false, 50, 20'000);
    if (wanted("burst")) cost_of_calls("streams of 32 tokens in a burst, 50 users", 0, 0, true, 50, 20'000);
    if (wanted("paced"))
        for (const int users : {100, 1000})
            cost_of_calls(fmt::format("streams of 32 tokens 10 ms apart, {} users", users), 10, 10, true, users,
                          (users == 100 ? 40 : 8) * static_cast<std::uint64_t>(users));
    if (wanted("ttft")) first_token_error(1000);
    if (wanted("schedule")) schedule_error(5000);
    if (wanted("frozen")) frozen_server();
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
