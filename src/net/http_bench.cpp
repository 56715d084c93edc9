// What a call costs the io thread: CPU of a client against our own server, which runs on another thread.
// The "server_us" counter is that thread's CPU per call; the benchmark's own CPU column is the client's.
#include <benchmark/benchmark.h>

#include <pthread.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <ctime>
#include <thread>

#include "net/http_client.h"
#include "net/http_server.h"

namespace plimsoll::net {
namespace {

constexpr int kChunks = 32;

asio::awaitable<void> answer(ServerRequest, ServerResponse& response) {
    std::ignore = co_await response.send(200, "application/json", R"({"choices":[{"message":{"content":"hello"}}]})");
}

asio::awaitable<void> stream(ServerRequest, ServerResponse& response) {
    std::ignore = co_await response.start(200, "text/event-stream");
    for (int i = 0; i < kChunks; ++i) {
        std::ignore = co_await response.write("data: {\"choices\":[{\"delta\":{\"content\":\"token \"}}]}\n\n");
    }
    std::ignore = co_await response.finish();
}

class ServerThread {
  public:
    ServerThread() : server_(context_.get_executor(), {}) {
        server_.route("POST", "/answer", answer);
        server_.route("POST", "/stream", stream);
        url_ = "http://127.0.0.1:" + std::to_string(server_.listen().value());
        asio::co_spawn(context_, server_.run(), asio::detached);
        thread_ = std::jthread([this] { context_.run(); });
    }
    ~ServerThread() { server_.stop(); }

    const std::string& url() const { return url_; }
    double cpu_us() {
        clockid_t clock{};
        pthread_getcpuclockid(thread_.native_handle(), &clock);
        timespec time{};
        clock_gettime(clock, &time);
        return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
    }

  private:
    asio::io_context context_{1};
    HttpServer server_;
    std::string url_;
    std::jthread thread_;
};

asio::awaitable<void> call(std::string url, bool streams, int* failures, int* running) {
    HttpClient& client = HttpClient::of(co_await asio::this_coro::executor);
    HttpRequest request{.method = "POST",
                        .url = std::move(url),
                        .headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer x"}},
                        .body = std::string(1000, 'x'),
                        .deadline = Deadline::after(std::chrono::seconds(60))};
    Result<HttpResponse> response;
    if (streams) {
        response = co_await client.stream(std::move(request), [](std::string_view) { return true; });
    } else {
        response = co_await client.send(std::move(request));
    }
    if (!response || response->status != 200) ++*failures;
    --*running;
}

// Arguments: calls at a time.
void run_calls(benchmark::State& state, const std::string& path) {
    ServerThread server;
    asio::io_context context{1};
    const auto guard = asio::make_work_guard(context);
    const int width = static_cast<int>(state.range(0));
    int failures = 0;
    const double before = server.cpu_us();
    for (auto _ : state) {
        int running = width;
        for (int i = 0; i < width; ++i)
            asio::co_spawn(context, call(server.url() + path, path == "/stream", &failures, &running), asio::detached);
        while (running > 0) context.run_one();
    }
    const auto calls = static_cast<double>(state.iterations() * width);
    state.SetItemsProcessed(static_cast<std::int64_t>(calls));
    state.counters["server_us"] = (server.cpu_us() - before) / calls;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    state.counters["max_rss_mb"] = static_cast<double>(usage.ru_maxrss) / 1024;
    if (failures > 0) state.SkipWithError("calls failed");
}

void BM_Call(benchmark::State& state) { run_calls(state, "/answer"); }
void BM_Stream32(benchmark::State& state) { run_calls(state, "/stream"); }
BENCHMARK(BM_Call)->Arg(1)->Arg(100)->Arg(1000);
BENCHMARK(BM_Stream32)->Arg(1)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace plimsoll::net
