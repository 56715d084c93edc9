// What a superstep and a Send cost, against LangGraph's 280 us a superstep and 230 us a Send task (CPU time, no saver).
#include <benchmark/benchmark.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

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

BENCHMARK_CAPTURE(chain, functions, write_text);
BENCHMARK_CAPTURE(chain, coroutines, write_text_later);
BENCHMARK_CAPTURE(fan_out, functions, work);
BENCHMARK_CAPTURE(fan_out, coroutines, work_later);

}  // namespace
}  // namespace plimsoll::graph
