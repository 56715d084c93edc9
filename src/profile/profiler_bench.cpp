// The whole profiler with every analysis on, on research sessions of 20 steps that are made on the way, as NAT would and in the right way.
// The claims: time grows as n log n, and memory with what is kept of a session. peak_MB is the process's highest so far, so that only
// the largest size of a run shows its own. With reading, writing and a million sessions: tools/bench_profile_growth.sh.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include "profile/profiler.h"
#include "profile/research_trace.h"

namespace plimsoll::profile {
namespace {

double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1024;
}

ProfilerConfig everything(bool nat_compat) {
    ProfilerConfig config;
    config.base_metrics = config.token_uniqueness_forecast = config.compute_llm_metrics = config.token_usage_forecast = true;
    config.prompt_caching_prefixes = {true, 0.1};
    config.bottleneck_analysis = {true, true};
    config.concurrency_spike_analysis = {true, 7};
    config.prefix_span_analysis.enable = true;
    config.prediction_trie.enable = true;
    config.nat_compat = nat_compat;
    return config;
}

void profile_everything(benchmark::State& state) {
    const SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        for_each_research_trace(static_cast<std::size_t>(state.range(0)), 7, on_session);
        return event::SkipReport();
    };
    const ProfilerConfig config = everything(state.range(1) != 0);
    for (auto _ : state) {
        NoArtefacts none;
        benchmark::DoNotOptimize(profile(source, {}, config, none));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["peak_MB"] = peak_megabytes();
}
BENCHMARK(profile_everything)->ArgNames({"sessions", "nat"})->ArgsProduct({{1000, 10'000, 100'000}, {0, 1}})->Unit(benchmark::kMillisecond);

void insights_only(benchmark::State& state) {
    const RunGraph graph = make_run_graph(make_research_traces(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state) {
        AnalysisRunner runner;
        benchmark::DoNotOptimize(compute_insights(graph, {.prices = {}, .spike_threshold = {}, .session = {}}, runner));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(insights_only)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::profile
