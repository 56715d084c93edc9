// The graphs of bench/peers/langgraph_bench.py, node for node, so that tools/bench_langgraph.sh can lay the figures side by
// side. Each measures one run of the graph; nodes are coroutines that return at once.
#include <benchmark/benchmark.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <string>

#include "base/files.h"
#include "graph/memory_saver.h"
#include "graph/sqlite_saver.h"
#include "graph/state_graph.h"

namespace plimsoll::graph {
namespace {

constexpr int kChain = 10;
constexpr int kFan = 1000;
constexpr int kSessions = 32;
constexpr int kWaiting = 10'000;

struct State {
    std::string text;
    std::vector<int> out;
};

asio::awaitable<Result<Update<State>>> write(event::Context, const State&) { co_return Update<State>{}.set(&State::text, "x"); }
asio::awaitable<Result<Update<State>>> work(event::Context, int i) { co_return Update<State>{}.set(&State::out, {i}); }
asio::awaitable<Result<Update<State>>> ask(event::Context, const State&, StepInfo info) {
    const json::value answer = co_await interrupt(info, {{"ask", "go on?"}});
    co_return Update<State>{}.set(&State::out, {static_cast<int>(answer.as_int64())});
}

StateGraph<State> channels() {
    StateGraph<State> graph;
    graph.channel("text", &State::text);
    graph.channel("out", &State::out, append());
    return graph;
}

CompiledGraph<State> compile(const StateGraph<State>& graph, std::shared_ptr<CheckpointSaver> saver) {
    CompileOptions options;
    options.saver = std::move(saver);
    return graph.compile(options).value();
}

CompiledGraph<State> chain(std::shared_ptr<CheckpointSaver> saver = nullptr) {
    auto graph = channels();
    for (int i = 0; i < kChain; ++i) {
        graph.add_node(std::to_string(i), write);
        graph.add_edge(i == 0 ? std::string(kStart) : std::to_string(i - 1), std::to_string(i));
    }
    return compile(graph, std::move(saver));
}

CompiledGraph<State> fan_out(std::shared_ptr<CheckpointSaver> saver = nullptr) {
    auto graph = channels();
    graph.add_node<int>("work", work);
    graph.add_conditional_edges(kStart, [](const State&) {
        std::vector<Target> sends;
        for (int i = 0; i < kFan; ++i) sends.push_back(send("work", i));
        return sends;
    });
    return compile(graph, std::move(saver));
}

CompiledGraph<State> asking(std::shared_ptr<CheckpointSaver> saver) {
    auto graph = channels();
    graph.add_node("prepare", write);
    graph.add_node("ask", ask);
    graph.add_edge(kStart, "prepare");
    graph.add_edge("prepare", "ask");
    return compile(graph, std::move(saver));
}

// A new thread a run: no run finds another one's checkpoints.
RunOptions next_thread(bool stored) {
    static int count = 0;
    RunOptions options;
    options.durability = Durability::sync;
    if (stored) options.thread = std::to_string(++count);
    return options;
}

State input() { return {"why do tides come twice a day?", {}}; }

asio::awaitable<void> run_once(benchmark::State& state, CompiledGraph<State> graph, bool stored) {
    const auto out = co_await graph.run({}, input(), next_thread(stored));
    if (!out) state.SkipWithError(out.error().message.c_str());
}

void measure(benchmark::State& state, const CompiledGraph<State>& graph, bool stored, int sessions = 1) {
    asio::io_context loop;
    for (auto _ : state) {
        for (int i = 0; i < sessions; ++i) asio::co_spawn(loop, run_once(state, graph, stored), asio::detached);
        loop.restart();
        loop.run();
    }
}

void measure_sqlite(benchmark::State& state, int sessions) {
    const TemporaryFolder folder;
    auto saver = SqliteSaver::open(folder.path() / "state.db");
    if (!saver)
        state.SkipWithError(saver.error().message.c_str());
    else
        measure(state, chain(*saver), true, sessions);
}

void peer_chain(benchmark::State& state) { measure(state, chain(), false); }
void peer_chain_memory(benchmark::State& state) { measure(state, chain(std::make_shared<MemorySaver>()), true); }
void peer_chain_sqlite(benchmark::State& state) { measure_sqlite(state, 1); }
void peer_chain_sqlite_sessions(benchmark::State& state) { measure_sqlite(state, kSessions); }
void peer_fan_out(benchmark::State& state) { measure(state, fan_out(), false); }
void peer_fan_out_memory(benchmark::State& state) { measure(state, fan_out(std::make_shared<MemorySaver>()), true); }

double resident_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (double kb = 0; word == "VmRSS:" && status >> kb) return kb;
    return 0;
}

// Sessions that each wait for an answer, all in one process. Run alone: what other benchmarks left in the heap hides the memory.
void peer_waiting(benchmark::State& state) {
    double kb = 0;
    for (auto _ : state) {
        const CompiledGraph<State> graph = asking(std::make_shared<MemorySaver>());
        asio::io_context loop;
        const double before = resident_kb();
        for (int i = 0; i < kWaiting; ++i) {
            asio::co_spawn(loop, run_once(state, graph, true), asio::detached);
            loop.restart();
            loop.run();
        }
        kb = resident_kb() - before;
    }
    state.counters["kb_per_session"] = kb / kWaiting;
    state.counters["total_mb"] = kb / 1024;
}

BENCHMARK(peer_chain)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(peer_chain_memory)->MeasureProcessCPUTime()->UseRealTime()->Iterations(5000);
BENCHMARK(peer_chain_sqlite)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(peer_chain_sqlite_sessions)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(peer_fan_out)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(peer_fan_out_memory)->MeasureProcessCPUTime()->UseRealTime()->Iterations(100);
BENCHMARK(peer_waiting)->Iterations(1);

}  // namespace
}  // namespace plimsoll::graph
