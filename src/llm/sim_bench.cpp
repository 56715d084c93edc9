// What the simulated model server costs: steps of the batching engine in virtual time, and streams held open in real time.
//
//   llm_bench --benchmark_filter=Sim
#include <benchmark/benchmark.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>
#include <thread>

#include "llm/sim_profile.h"
#include "llm/sim_server.h"

namespace plimsoll::llm {
namespace {

using namespace std::chrono_literals;

// So many users ask again as soon as they are answered, 2,000 tokens in and 200 out.
void BM_SimEngineSteps(benchmark::State& state) {
    const auto profile = load_sim_profile("h100-8b-vllm").value();
    std::uint64_t steps = 0, tokens = 0;
    for (auto _ : state) {
        SimEngine engine(profile.engine);
        std::vector<SimEvent> events;
        const auto users = static_cast<std::uint64_t>(state.range(0));
        std::uint64_t id = 0;
        const auto ask = [&](SimTime now) {
            const auto asked = engine.submit(now, {.id = ++id, .prompt_tokens = 2000, .output_tokens = 200});
            benchmark::DoNotOptimize(asked);
        };
        for (std::uint64_t i = 0; i < users; ++i) ask(SimTime(0));
        while (const auto at = engine.next()) {
            events.clear();
            engine.advance(*at, events);
            for (const SimEvent& event : events) {
                tokens += event.kind == SimEvent::Kind::token ? 1 : 0;
                if (event.kind == SimEvent::Kind::finished && id < 10 * users) ask(event.at);
            }
        }
        steps += engine.load()[0].steps;
    }
    state.counters["steps/s"] = benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
    state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens), benchmark::Counter::kIsRate);
}
BENCHMARK(BM_SimEngineSteps)->Arg(32)->Arg(200)->Unit(benchmark::kMillisecond);

double resident_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::stod(line.substr(6));
    return 0;
}

// The clients are a process of their own, so that their memory and descriptors do not count. Exits with 0 when every stream came
// to its end.
[[noreturn]] void run_clients(std::uint16_t port, int streams) {
    constexpr std::string_view kBody = R"({"messages":[{"role":"user","content":"Hello"}],"stream":true})";
    const std::string request = "POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nContent-Length: " + std::to_string(kBody.size()) +
                                "\r\nConnection: close\r\n\r\n" + std::string(kBody);
    const int epoll = ::epoll_create1(0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < streams; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) ::_exit(1);
        if (::send(fd, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) ::_exit(2);
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    int done = 0;
    std::array<epoll_event, 256> ready{};
    std::array<char, 64 << 10> buffer{};
    for (int open = streams; open > 0;) {
        const int count = ::epoll_wait(epoll, ready.data(), ready.size(), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = ready[static_cast<std::size_t>(i)].data.fd;
            const auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (size > 0 && std::string_view(buffer.data(), static_cast<std::size_t>(size)).contains("[DONE]")) ++done;
            if (size > 0) continue;
            ::close(fd);
            --open;
        }
    }
    ::_exit(done == streams ? 0 : 3);
}

// All streams are open at once: the first tokens come when the last client has connected.
void hold_streams(benchmark::State& state, SimOptions options) {
    const int streams = static_cast<int>(state.range(0));
    for (auto _ : state) {
        asio::io_context context{1};
        SimServer server(context.get_executor(), options);
        const auto port = server.listen().value();
        const pid_t clients = ::fork();
        if (clients == 0) run_clients(port, streams);
        const double before = resident_kb();
        auto ended = asio::co_spawn(context, server.run(), asio::use_future);
        std::jthread thread([&] { context.run(); });
        double most = before;
        int status = 0;
        while (::waitpid(clients, &status, WNOHANG) == 0) {
            most = std::max(most, resident_kb());
            std::this_thread::sleep_for(20ms);
        }
        const auto stats = asio::post(context, std::packaged_task<SimStats()>([&] { return server.stats(); })).get();
        asio::post(context, [&] { server.stop(); });
        ended.get();
        if (status != 0) state.SkipWithError("a stream did not come to its end");
        state.counters["open_at_once"] = static_cast<double>(stats.peak_open);
        state.counters["kb_a_stream"] = (most - before) / streams;
        state.counters["lateness_mean_ms"] = 1e3 * stats.lateness_sum / static_cast<double>(std::max<std::uint64_t>(1, stats.deliveries));
        state.counters["lateness_max_ms"] = 1e3 * stats.lateness_max;
    }
}

void BM_SimStreamsPaced(benchmark::State& state) { hold_streams(state, {.ttft = 4s, .itl = 1s, .tokens = 4}); }
BENCHMARK(BM_SimStreamsPaced)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void BM_SimStreamsBatched(benchmark::State& state) {
    SimOptions options{.tokens = 4};
    options.engine.emplace();
    options.engine->law = {.fixed = 1};
    options.engine->limits = {.max_sequences = 20'000, .max_batched_tokens = 1'000'000};
    options.engine->ingest = 4s;
    hold_streams(state, options);
}
BENCHMARK(BM_SimStreamsBatched)->Arg(10'000)->Iterations(1)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace plimsoll::llm
