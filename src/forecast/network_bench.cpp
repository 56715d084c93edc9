// How fast sessions are played: batch steps a second of one core.
#include <benchmark/benchmark.h>

#include "forecast/network.h"

namespace plimsoll::forecast {
namespace {

// Plan, five searches with a summary each, four sections, a final answer: the shape of a research session.
SessionGraph make_research_session() {
    SessionGraph graph;
    const auto add = [&](TaskKind kind, int prompt, int output, double seconds, std::vector<int> after) {
        Task task;
        task.kind = kind;
        task.resource = 0;
        task.prompt = prompt;
        task.output = output;
        task.seconds = seconds;
        task.after = std::move(after);
        graph.tasks.push_back(std::move(task));
        return static_cast<int>(graph.tasks.size()) - 1;
    };
    const int plan = add(TaskKind::model, 1100, 260, 0, {});
    std::vector<int> summaries, sections;
    for (int i = 0; i < 5; ++i) summaries.push_back(add(TaskKind::model, 5200, 330, 0, {add(TaskKind::tool, 0, 0, 1.5, {plan})}));
    for (int i = 0; i < 4; ++i) sections.push_back(add(TaskKind::model, 6000, 650, 0, summaries));
    add(TaskKind::model, 7000, 900, 0, sections);
    return graph;
}

void play_users(benchmark::State& state) {
    NetworkModel model;
    EndpointModel endpoint;
    endpoint.law.form = LawForm::roofline;
    endpoint.law.a = 0.01;
    endpoint.law.c = 2e-8;
    endpoint.law.d = 9e-6;
    endpoint.limits = {.max_num_seqs = 96, .kv_tokens = 900'000, .max_batched_tokens = 4096};
    endpoint.replicas = 2;
    model.endpoints.push_back(endpoint);
    model.tool_servers.push_back(0);
    const Script script(make_research_session());
    Load load;
    load.order = {&script};
    load.users = static_cast<int>(state.range(0));
    load.stagger = 50;
    load.warm_up = static_cast<std::size_t>(load.users);
    load.counted = 1000;
    std::int64_t steps = 0;
    for (auto _ : state) steps += play(model, load)->steps;
    state.counters["steps/s"] = benchmark::Counter(static_cast<double>(steps), benchmark::Counter::kIsRate);
}
BENCHMARK(play_users)->Arg(16)->Arg(64)->Arg(200)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::forecast
