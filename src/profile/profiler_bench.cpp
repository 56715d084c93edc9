// The whole profiler with every analysis on: sessions of 20 steps (a function, four LLM calls with prompts, four tool calls),
// all in flight within a minute. The claim: linear in the number of sessions.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/random.h"
#include "profile/profiler.h"

namespace plimsoll::profile {
namespace {

event::Step make_step(event::EventType type, double time, const std::string& uuid, const std::string& parent, const std::string& name) {
    event::Step step;
    step.parent_id = parent;
    step.payload.event_type = type;
    step.payload.event_timestamp = time;
    step.payload.uuid = uuid;
    step.payload.name = name;
    return step;
}

void append_call(event::SessionTrace& session, event::Category category, double start, double end, const std::string& parent,
                 const std::string& name, Random& random) {
    const std::string uuid = random.uuid();
    session.steps.push_back(make_step({category, event::Phase::start}, start, uuid, parent, name));
    if (category == event::Category::llm)
        session.steps.back().payload.data =
            event::StepData{.input = json::value(fmt::format("Answer with care. Question {}: {}", uuid, start))};
    session.steps.push_back(make_step({category, event::Phase::end}, end, uuid, parent, name));
    session.steps.back().payload.usage_info =
        event::UsageInfo{.token_usage = {.prompt_tokens = 100, .completion_tokens = 20, .total_tokens = 120}};
}

event::SessionTrace make_session(Random& random) {
    event::SessionTrace session;
    const std::string function = random.uuid();
    const double start = 1.7e9 + random.uniform(0, 60);
    session.steps.push_back(make_step({event::Category::function, event::Phase::start}, start, function, "root", "agent"));
    double now = start;
    for (int round = 0; round < 4; ++round) {
        const double answered = now + random.uniform(0.5, 3), searched = answered + random.uniform(0.1, 0.5);
        append_call(session, event::Category::llm, now, answered, function, "model", random);
        append_call(session, event::Category::tool, answered, searched, function, "search", random);
        now = searched;
    }
    session.steps.push_back(make_step({event::Category::function, event::Phase::end}, now, function, "root", "agent"));
    return session;
}

ProfileInput make_input(std::int64_t sessions) {
    Random random(1);
    ProfileInput input;
    for (std::int64_t i = 0; i < sessions; ++i) input.sessions.push_back(make_session(random));
    return input;
}

void profile_everything(benchmark::State& state) {
    const ProfileInput input = make_input(state.range(0));
    ProfilerConfig config;
    config.base_metrics = config.token_uniqueness_forecast = config.compute_llm_metrics = true;
    config.bottleneck_analysis = {true, true};
    config.concurrency_spike_analysis = {true, 7};
    for (auto _ : state) benchmark::DoNotOptimize(profile(input, config));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(profile_everything)->Arg(100)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// What Plimsoll adds to NAT's analyses, without writing files.
void insights_only(benchmark::State& state) {
    const ProfileInput input = make_input(state.range(0));
    const TraceView view = make_trace_view(input.sessions);
    for (auto _ : state) {
        AnalysisRunner runner;
        benchmark::DoNotOptimize(compute_insights(view, {.prices = {}, .spike_threshold = {}, .session = {}}, runner));
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(insights_only)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::profile
