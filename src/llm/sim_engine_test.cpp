#include "llm/sim_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "llm/sim_pace.h"

namespace plimsoll::llm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// Lets everything happen that is due up to `until`, in virtual time.
std::vector<SimEvent> run(SimTimeline& timeline, SimTime until = 24h) {
    std::vector<SimEvent> events;
    for (auto at = timeline.next(); at && *at <= until; at = timeline.next()) timeline.advance(*at, events);
    return events;
}

std::vector<SimTime> times(const std::vector<SimEvent>& events, std::uint64_t id, SimEvent::Kind kind = SimEvent::Kind::token) {
    std::vector<SimTime> result;
    for (const auto& event : events)
        if (event.kind == kind && event.id == id) result.push_back(event.at);
    return result;
}

std::size_t count(const std::vector<SimEvent>& events, SimEvent::Kind kind) {
    return static_cast<std::size_t>(std::ranges::count(events, kind, &SimEvent::kind));
}

// 10 ms a step, 1 ms a sequence that decodes, 0.1 ms a prompt token, 0.01 ms a token in the cache.
SimEngineOptions linear() {
    SimEngineOptions options;
    options.law = {.fixed = 0.010, .per_sequence = 0.001, .per_context = 0.00001, .per_prompt_token = 0.0001};
    options.limits = {.max_sequences = 8, .max_batched_tokens = 100};
    return options;
}

TEST(SimStepLaw, Forms) {
    const SimStep step{.decodes = 4, .context = 1000, .prompt_tokens = 96, .prompts = 1};
    SimStepLaw law{.fixed = 0.01, .per_sequence = 0.001, .per_context = 1e-5, .per_prompt_token = 1e-4};
    EXPECT_DOUBLE_EQ(law.seconds(step), 0.01 + 0.004 + 0.01 + 0.0096);
    law = {.form = SimStepLaw::Form::roofline, .overhead = 0.002, .fixed = 0.01, .per_context = 1e-5, .per_prompt_token = 1e-3};
    EXPECT_DOUBLE_EQ(law.seconds(step), 0.002 + 0.1);  // computing 100 tokens takes longer than reading
    EXPECT_DOUBLE_EQ(law.seconds({.decodes = 4, .context = 1000}), 0.002 + 0.02);
}

TEST(SimEngine, OneRequestByHand) {
    SimEngine engine(linear());
    ASSERT_TRUE(engine.submit(5ms, {.id = 1, .prompt_tokens = 50, .output_tokens = 3}));
    const auto events = run(engine);
    // The prompt: 10 + 5 ms. Then steps of one sequence with 50 and 51 tokens in its cache: 11.5 and 11.51 ms.
    EXPECT_THAT(times(events, 1), ElementsAre(20ms, 31500us, 43010us));
    EXPECT_THAT(times(events, 1, SimEvent::Kind::started), ElementsAre(5ms));
    EXPECT_THAT(times(events, 1, SimEvent::Kind::finished), ElementsAre(43010us));
    EXPECT_EQ(engine.load()[0].running, 0u);
    EXPECT_EQ(engine.load()[0].steps, 3u);
    EXPECT_NEAR(engine.load()[0].busy_seconds, 0.03801, 1e-9);
}

TEST(SimEngine, APromptJoinsARunningBatchAtTheNextStep) {
    SimEngine engine(linear());
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 50, .output_tokens = 3}));
    auto events = run(engine, 16ms);  // the first token at 15 ms, a step until 26.5 ms under way
    ASSERT_TRUE(engine.submit(16ms, {.id = 2, .prompt_tokens = 20, .output_tokens = 1}));
    std::ranges::copy(run(engine), std::back_inserter(events));
    // Third step: one decodes with 51 tokens, 20 of the prompt: 10 + 1 + 0.51 + 2 ms.
    EXPECT_THAT(times(events, 1), ElementsAre(15ms, 26500us, 40010us));
    EXPECT_THAT(times(events, 2), ElementsAre(40010us));
    EXPECT_THAT(times(events, 2, SimEvent::Kind::started), ElementsAre(26500us));
}

TEST(SimEngine, ALongPromptIsCutIntoChunks) {
    SimEngine engine(linear());
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 250, .output_tokens = 1}));
    const auto events = run(engine);
    EXPECT_THAT(times(events, 1), ElementsAre(20ms + 20ms + 15ms));
    std::vector<int> tokens;
    for (const auto& event : events)
        if (event.kind == SimEvent::Kind::step) tokens.push_back(event.tokens);
    EXPECT_THAT(tokens, ElementsAre(100, 100, 50));
}

TEST(SimEngine, DecodingComesBeforePromptsInTheBudget) {
    auto options = linear();
    options.limits.max_batched_tokens = 10;
    SimEngine engine(options);
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 10, .output_tokens = 3}));
    ASSERT_TRUE(engine.submit(0ms, {.id = 2, .prompt_tokens = 18, .output_tokens = 1}));
    const auto events = run(engine);
    // Steps: prompt 1; then 1 decodes and takes one token of the budget, nine of prompt 2 fit, twice.
    EXPECT_THAT(times(events, 1), ElementsAre(11ms, 11ms + 12ms, 23ms + 12010us));  // 10 + 1 + 0.9 + 0.10 and + 0.11
    EXPECT_THAT(times(events, 2), ElementsAre(35010us));
}

TEST(SimEngine, WithoutChunksAPromptHasToFit) {
    auto options = linear();
    options.limits.chunked_prefill = false;
    SimEngine engine(options);
    for (const std::uint64_t id : {1, 2, 3})
        ASSERT_TRUE(engine.submit(0ms, {.id = id, .prompt_tokens = id == 3 ? 300 : 60, .output_tokens = 1}));
    const auto events = run(engine);
    EXPECT_THAT(times(events, 1), ElementsAre(16ms));
    EXPECT_THAT(times(events, 2), ElementsAre(32ms));
    EXPECT_THAT(times(events, 3), ElementsAre(72ms));  // beyond the budget, on its own
}

TEST(SimEngine, QueuesBeyondItsSequences) {
    auto options = linear();
    options.limits.max_sequences = 1;
    SimEngine engine(options);
    for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(engine.submit(0ms, {.id = id, .prompt_tokens = 10, .output_tokens = 2}));
    auto events = run(engine, 0ms);
    EXPECT_EQ(engine.load()[0].running, 1u);
    EXPECT_EQ(engine.load()[0].waiting, 1u);
    std::ranges::copy(run(engine), std::back_inserter(events));
    EXPECT_THAT(times(events, 1), ElementsAre(11ms, 22100us));
    EXPECT_THAT(times(events, 2), ElementsAre(33100us, 44200us));
    EXPECT_THAT(times(events, 2, SimEvent::Kind::started), ElementsAre(22100us));
}

TEST(SimEngine, PreemptsTheLastAndComputesItAgain) {
    auto options = linear();
    options.limits.block_tokens = 4;
    options.limits.kv_blocks = 4;  // 16 tokens
    SimEngine engine(options);
    // Two prompts of 7 fill the blocks; with the second token each wants a third one, and there is none.
    for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(engine.submit(0ms, {.id = id, .prompt_tokens = 7, .output_tokens = 5}));
    const auto events = run(engine);
    EXPECT_THAT(times(events, 2, SimEvent::Kind::preempted).size(), 1u);
    EXPECT_TRUE(times(events, 1, SimEvent::Kind::preempted).empty());
    EXPECT_EQ(times(events, 1).size(), 5u);
    EXPECT_EQ(times(events, 2).size(), 5u);
    EXPECT_THAT(times(events, 2, SimEvent::Kind::started), ElementsAre(0ms));
    // Together: 11.4 ms for the prompts, 12.14 ms for the second tokens. The first goes on alone with 8, 9, 10 tokens in its cache;
    // when it has ended the second computes its 7 + 2 known tokens: 10.9 ms, and goes on with 9 and 10.
    EXPECT_THAT(times(events, 1), ElementsAre(11400us, 23540us, 34620us, 45710us, 56810us));
    EXPECT_THAT(times(events, 2), ElementsAre(11400us, 23540us, 67710us, 78800us, 89900us));
    EXPECT_EQ(engine.load()[0].preemptions, 1u);
    EXPECT_EQ(engine.load()[0].kv_blocks_used, 0);
}

TEST(SimEngine, RefusesWhatCanNeverFit) {
    auto options = linear();
    options.limits.kv_blocks = 2;
    EXPECT_FALSE(SimEngine(options).submit(0ms, {.id = 1, .prompt_tokens = 32, .output_tokens = 2}));
    EXPECT_TRUE(SimEngine(options).submit(0ms, {.id = 1, .prompt_tokens = 32, .output_tokens = 1}));
    options.limits = {.max_context = 100};
    const auto refused = SimEngine(options).submit(0ms, {.id = 1, .prompt_tokens = 1, .output_tokens = 100});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
}

TEST(SimEngine, TheQueueHasAnEnd) {
    SimEngine engine(linear());
    std::uint64_t id = 0;
    while (id < kMaxSimWaiting) ASSERT_TRUE(engine.submit(0ms, {.id = ++id}));
    EXPECT_EQ(engine.submit(0ms, {.id = ++id}).error().code, ErrorCode::limit);
}

TEST(SimEngine, ArrivalsAtRestShareAStepAfterTheIngest) {
    auto options = linear();
    options.ingest = 5ms;
    SimEngine engine(options);
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 10, .output_tokens = 1}));
    ASSERT_TRUE(engine.submit(2ms, {.id = 2, .prompt_tokens = 10, .output_tokens = 1}));
    const auto events = run(engine, 16ms);
    EXPECT_EQ(*engine.next(), 17ms);
    ASSERT_TRUE(engine.submit(16ms, {.id = 3, .prompt_tokens = 10, .output_tokens = 1}));  // too late for a step at 17 ms
    const auto later = run(engine);
    EXPECT_THAT(times(later, 1), ElementsAre(17ms));
    EXPECT_THAT(times(later, 2), ElementsAre(17ms));
    EXPECT_THAT(times(later, 3), ElementsAre(21ms + 11ms));
}

TEST(SimEngine, RoutesToItsReplicas) {
    auto options = linear();
    options.replicas = 3;
    const auto requests = [&](SimRouting routing, auto session) {
        options.routing = routing;
        SimEngine engine(options);
        for (std::uint64_t id = 1; id <= 6; ++id) EXPECT_TRUE(engine.submit(0ms, {.id = id, .session = session(id)}));
        engine.leave(0ms, 1);
        EXPECT_TRUE(engine.submit(0ms, {.id = 7, .session = session(7)}));
        std::vector<std::size_t> waiting;
        for (const auto& load : engine.load()) waiting.push_back(load.waiting);
        return waiting;
    };
    const auto none = [](std::uint64_t) { return std::uint64_t{0}; };
    EXPECT_THAT(requests(SimRouting::round_robin, none), ElementsAre(2u, 2u, 2u));  // 1 left 0, 7 went there
    EXPECT_THAT(requests(SimRouting::least_loaded, none), ElementsAre(2u, 2u, 2u));
    EXPECT_THAT(requests(SimRouting::session_hash, [](std::uint64_t) { return std::uint64_t{4}; }), ElementsAre(0u, 6u, 0u));
    EXPECT_EQ(parse_sim_routing("session_hash"), SimRouting::session_hash);
    EXPECT_FALSE(parse_sim_routing("sticky"));
}

TEST(SimEngine, ReplicasWorkBesideEachOther) {
    auto options = linear();
    options.replicas = 2;
    SimEngine engine(options);
    for (const std::uint64_t id : {1, 2}) ASSERT_TRUE(engine.submit(0ms, {.id = id, .prompt_tokens = 10, .output_tokens = 1}));
    const auto events = run(engine);
    EXPECT_THAT(times(events, 1), ElementsAre(11ms));
    EXPECT_THAT(times(events, 2), ElementsAre(11ms));
}

TEST(SimEngine, WhoLeavesGivesItsPlaceAndItsBlocksBack) {
    auto options = linear();
    options.limits.max_sequences = 1;
    options.limits.kv_blocks = 10;
    SimEngine engine(options);
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 10, .output_tokens = 1, .holds = true}));
    ASSERT_TRUE(engine.submit(0ms, {.id = 2, .prompt_tokens = 10, .output_tokens = 1}));
    ASSERT_TRUE(engine.submit(0ms, {.id = 3, .prompt_tokens = 10, .output_tokens = 1}));
    auto events = run(engine);
    EXPECT_THAT(times(events, 1), ElementsAre(11ms));
    EXPECT_TRUE(times(events, 1, SimEvent::Kind::finished).empty());  // it holds, and the others wait
    EXPECT_FALSE(engine.next());
    engine.leave(50ms, 2);
    EXPECT_TRUE(run(engine).empty());
    engine.leave(60ms, 1);
    events = run(engine);
    EXPECT_THAT(times(events, 3), ElementsAre(71ms));
    engine.leave(80ms, 3);  // has ended already
    EXPECT_EQ(engine.load()[0].kv_blocks_used, 0);
    EXPECT_EQ(engine.load()[0].running + engine.load()[0].waiting, 0u);
}

TEST(SimEngine, LeavesInMidStep) {
    SimEngine engine(linear());
    ASSERT_TRUE(engine.submit(0ms, {.id = 1, .prompt_tokens = 10, .output_tokens = 5}));
    run(engine, 0ms);
    engine.leave(1ms, 1);
    const auto events = run(engine);
    EXPECT_EQ(count(events, SimEvent::Kind::token), 0u);
    EXPECT_EQ(count(events, SimEvent::Kind::step), 1u);
    EXPECT_FALSE(engine.next());
}

TEST(SimEngine, SameSeedSameTimes) {
    auto options = linear();
    options.jitter = 0.5;
    const auto tokens = [&](std::uint64_t seed) {
        options.seed = seed;
        SimEngine engine(options);
        for (const std::uint64_t id : {1, 2, 3}) EXPECT_TRUE(engine.submit(0ms, {.id = id, .prompt_tokens = 30, .output_tokens = 10}));
        return times(run(engine), 3);
    };
    EXPECT_EQ(tokens(1), tokens(1));
    EXPECT_NE(tokens(1), tokens(2));
}

// A crowd with a small cache: everybody gets all tokens, the limits hold at every step, and nothing is left behind.
TEST(SimEngine, KeepsItsLimitsUnderLoad) {
    auto options = linear();
    options.limits = {.max_sequences = 16, .max_batched_tokens = 64, .kv_blocks = 40, .block_tokens = 8};
    options.replicas = 2;
    options.routing = SimRouting::least_loaded;
    SimEngine engine(options);
    Random random(7);
    std::map<std::uint64_t, int> wanted;
    for (std::uint64_t id = 1; id <= 300; ++id) {
        wanted[id] = static_cast<int>(random.uniform(1, 60));
        ASSERT_TRUE(engine.submit(SimTime(id * 1'000'000),
                                  {.id = id, .prompt_tokens = static_cast<int>(random.uniform(1, 250)), .output_tokens = wanted[id]}));
    }
    std::vector<SimEvent> events;
    while (const auto at = engine.next()) {
        engine.advance(*at, events);
        for (const auto& load : engine.load()) {
            EXPECT_LE(load.kv_blocks_used, 40);
            EXPECT_LE(load.running, 16u);
        }
    }
    SimTime last{0};
    for (const auto& event : events) {
        EXPECT_GE(event.at, last);
        last = event.at;
        if (event.kind == SimEvent::Kind::token) --wanted[event.id];
        if (event.kind == SimEvent::Kind::step) EXPECT_LE(event.tokens, 64);
    }
    for (const auto& [id, left] : wanted) EXPECT_EQ(left, 0) << id;
    EXPECT_EQ(count(events, SimEvent::Kind::finished), 300u);
    EXPECT_GT(count(events, SimEvent::Kind::preempted), 0u);
    for (const auto& load : engine.load()) EXPECT_EQ(load.running + load.waiting + static_cast<std::size_t>(load.kv_blocks_used), 0u);
}

TEST(SimEngine, ChecksItsOptions) {
    const auto refuses = [](auto change) {
        SimEngineOptions options;
        change(options);
        return !check_sim_engine_options(options);
    };
    EXPECT_FALSE(refuses([](SimEngineOptions&) {}));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.law.fixed = 0; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.law.per_context = -1; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.limits.max_sequences = 0; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.limits.max_batched_tokens = 8; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.limits.kv_blocks = -1; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.replicas = 0; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.jitter = 1; }));
    EXPECT_TRUE(refuses([](SimEngineOptions& o) { o.ingest = -1ms; }));
}

TEST(SimPace, EachAnswerForItself) {
    SimPace pace({.ttft = 100ms, .itl = 10ms});
    ASSERT_TRUE(pace.submit(0ms, {.id = 1, .output_tokens = 3}));
    ASSERT_TRUE(pace.submit(5ms, {.id = 2, .output_tokens = 1, .delay = 1s}));
    const auto events = run(pace);
    EXPECT_THAT(times(events, 1), ElementsAre(100ms, 110ms, 120ms));
    EXPECT_THAT(times(events, 2), ElementsAre(1105ms));
    EXPECT_EQ(count(events, SimEvent::Kind::finished), 2u);
}

TEST(SimPace, QueuesInOrder) {
    SimPace pace({.ttft = 100ms, .itl = 10ms, .max_jobs = 1});
    for (const std::uint64_t id : {1, 2, 3, 4}) ASSERT_TRUE(pace.submit(0ms, {.id = id, .output_tokens = 2, .holds = id == 3}));
    auto events = run(pace, 115ms);
    pace.leave(115ms, 4);
    EXPECT_EQ(pace.load()[0].waiting, 1u);
    std::ranges::copy(run(pace), std::back_inserter(events));
    EXPECT_THAT(times(events, 2), ElementsAre(210ms, 220ms));
    EXPECT_THAT(times(events, 3), ElementsAre(320ms, 330ms));
    EXPECT_EQ(pace.load()[0].running, 1u);
    ASSERT_TRUE(pace.submit(400ms, {.id = 5, .output_tokens = 1}));
    EXPECT_FALSE(pace.next());
    pace.leave(500ms, 3);
    EXPECT_THAT(times(run(pace), 5), ElementsAre(600ms));
    EXPECT_EQ(pace.load()[0].running, 0u);
}

}  // namespace
}  // namespace plimsoll::llm
