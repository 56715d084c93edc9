// What a superstep and a Send cost, against LangGraph's 280 us a superstep and 230 us a Send task (CPU time, no saver); a
// superstep with a saver, against its 420 us; and many sessions of a large graph on one and two threads.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "base/files.h"
#include "graph/memory_saver.h"
#include "graph/sqlite_saver.h"
#include "graph/state_graph.h"

namespace plimsoll::graph {
namespace {

constexpr int kChain = 10;
constexpr int kFan = 100;

struct State {
    std::vector<int> out;
    std::string text;
};

Result<Update<State>> write_text(event::Context, const State&) { return Update<State>{}.set(&State::text, "x"); }
asio::awaitable<Result<Update<State>>> write_text_later(event::Context, const State&) { co_return Update<State>{}.set(&State::text, "x"); }
Result<Update<State>> work(event::Context, int i) { return Update<State>{}.set(&State::out, {i}); }
asio::awaitable<Result<Update<State>>> work_later(event::Context, int i) { co_return Update<State>{}.set(&State::out, {i}); }

asio::awaitable<void> run_until_done(benchmark::State& state, CompiledGraph<State> graph) {
    for (auto _ : state) {
        const auto out = co_await graph.invoke({}, {});
        if (!out) state.SkipWithError(out.error().message.c_str());
    }
}

void measure(benchmark::State& state, const StateGraph<State>& graph, int tasks) {
    asio::io_context loop;
    asio::co_spawn(loop, run_until_done(state, *graph.compile()), asio::detached);
    loop.run();
    state.counters["per_task"] = benchmark::Counter(tasks, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

StateGraph<State> channels() {
    StateGraph<State> graph;
    graph.channel("text", &State::text);
    graph.channel("out", &State::out, append());
    return graph;
}

template <class Fn>
void chain(benchmark::State& state, Fn node) {
    auto graph = channels();
    for (int i = 0; i < kChain; ++i) {
        graph.add_node(std::to_string(i), node);
        graph.add_edge(i == 0 ? std::string(kStart) : std::to_string(i - 1), std::to_string(i));
    }
    measure(state, graph, kChain);
}

template <class Fn>
void fan_out(benchmark::State& state, Fn node) {
    auto graph = channels();
    graph.add_node<int>("work", node);
    graph.add_conditional_edges(kStart, [](const State&) {
        std::vector<Target> sends;
        for (int i = 0; i < kFan; ++i) sends.push_back(send("work", i));
        return sends;
    });
    measure(state, graph, kFan);
}

StateGraph<State> chain_of(int nodes) {
    auto graph = channels();
    for (int i = 0; i < nodes; ++i) {
        graph.add_node(std::to_string(i), write_text);
        graph.add_edge(i == 0 ? std::string(kStart) : std::to_string(i - 1), std::to_string(i));
    }
    return graph;
}

asio::awaitable<void> run_threads(benchmark::State& state, CompiledGraph<State> graph, RunOptions options) {
    std::int64_t n = 0;
    for (auto _ : state) {
        options.thread = std::to_string(n++);
        const auto out = co_await graph.run({}, State{}, options);
        if (!out) state.SkipWithError(out.error().message.c_str());
    }
}

// Each step ends in a checkpoint in memory; per_task has the step and its checkpoint.
void chain_kept_in_memory(benchmark::State& state, Durability durability) {
    asio::io_context loop;
    const auto graph = chain_of(kChain).compile({.saver = std::make_shared<MemorySaver>(1)});
    asio::co_spawn(loop, run_threads(state, *graph, {.durability = durability}), asio::detached);
    loop.run();
    state.counters["per_task"] = benchmark::Counter(kChain, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

asio::awaitable<void> run_once(CompiledGraph<State> graph, RunOptions options, int& failed) {
    const auto out = co_await graph.run({}, State{}, std::move(options));
    if (!out) ++failed;
}

// So many sessions at once, each step of each durable before its next one.
void chain_kept_in_sqlite(benchmark::State& state) {
    const int sessions = static_cast<int>(state.range(0));
    const TemporaryFolder folder;
    const auto saver = SqliteSaver::open(folder.path() / "state.db");
    const auto graph = chain_of(kChain).compile({.saver = *saver});
    int failed = 0;
    std::int64_t n = 0;
    for (auto _ : state) {
        asio::io_context loop;
        for (int i = 0; i < sessions; ++i)
            asio::co_spawn(loop, run_once(*graph, {.thread = std::to_string(n++), .durability = Durability::sync}, failed), asio::detached);
        loop.run();
    }
    if (failed > 0) state.SkipWithError("a session failed");
    state.counters["per_step"] =
        benchmark::Counter(sessions * kChain, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// 1,000 sessions of a chain of 50 coroutine nodes, spread over threads; one session stays on one thread.
void many_sessions(benchmark::State& state) {
    constexpr int kNodes = 50;
    constexpr int kSessions = 1000;
    auto graph = channels();
    for (int i = 0; i < kNodes; ++i) {
        graph.add_node(std::to_string(i), write_text_later);
        graph.add_edge(i == 0 ? std::string(kStart) : std::to_string(i - 1), std::to_string(i));
    }
    const auto compiled = *graph.compile();
    const int threads = static_cast<int>(state.range(0));
    for (auto _ : state) {
        std::vector<std::jthread> running;
        for (int t = 0; t < threads; ++t)
            running.emplace_back([&compiled, sessions = kSessions / threads] {
                asio::io_context loop(1);
                int failed = 0;
                for (int i = 0; i < sessions; ++i) asio::co_spawn(loop, run_once(compiled, {}, failed), asio::detached);
                loop.run();
            });
    }
    state.counters["per_step"] =
        benchmark::Counter(kNodes * kSessions, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

asio::awaitable<Result<Update<State>>> wait_long(event::Context, const State&) {
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
    co_await timer.async_wait(asio::use_awaitable);
    co_return Update<State>{};
}
asio::awaitable<Result<Update<State>>> ask(event::Context, const State&, StepInfo info) {
    const json::value answer = co_await interrupt(info, "go on?");
    co_return Update<State>{}.set(&State::text, to_text(answer));
}

StateGraph<State> waiting_graph(bool asks) {
    auto graph = channels();
    graph.add_node("first", write_text);
    if (asks)
        graph.add_node("wait", ask);
    else
        graph.add_node("wait", wait_long);
    graph.add_node("last", write_text);
    graph.add_edge(kStart, "first");
    graph.add_edge("first", "wait");
    graph.add_edge("wait", "last");
    return graph;
}

// Heap bytes of a session that waits inside a node, or that has asked and left only its checkpoints behind.
void waiting_session(benchmark::State& state, bool asks) {
    constexpr int kSessions = 10'000;
    const auto saver = std::make_shared<MemorySaver>(1);
    const auto graph = waiting_graph(asks).compile(asks ? CompileOptions{.saver = saver} : CompileOptions{});
    for (auto _ : state) {
        const auto before = mallinfo2().uordblks;
        asio::io_context loop;
        for (int i = 0; i < kSessions; ++i) {
            if (asks)
                asio::co_spawn(loop, graph->run({}, State{}, {.thread = std::to_string(i)}), asio::detached);
            else
                asio::co_spawn(loop, graph->invoke({}, State{}), asio::detached);
        }
        loop.poll();
        state.counters["bytes_per_session"] = static_cast<double>(mallinfo2().uordblks - before) / kSessions;
    }
}

BENCHMARK_CAPTURE(chain, functions, write_text);
BENCHMARK_CAPTURE(chain, coroutines, write_text_later);
BENCHMARK_CAPTURE(fan_out, functions, work);
BENCHMARK_CAPTURE(fan_out, coroutines, work_later);
BENCHMARK_CAPTURE(chain_kept_in_memory, sync, Durability::sync);
BENCHMARK_CAPTURE(chain_kept_in_memory, async, Durability::async);
BENCHMARK_CAPTURE(chain_kept_in_memory, exit, Durability::exit);
BENCHMARK(chain_kept_in_sqlite)->Arg(1)->Arg(64)->Arg(512)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(many_sessions)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(waiting_session, in_a_node, false)->Iterations(1)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(waiting_session, after_asking, true)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::graph
