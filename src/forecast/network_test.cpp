#include "forecast/network.h"

#include <gtest/gtest.h>

namespace plimsoll::forecast {
namespace {

constexpr double kStep = 0.01;

Task model_call(int prompt, int output) {
    Task task;
    task.kind = TaskKind::model;
    task.resource = 0;
    task.prompt = prompt;
    task.output = output;
    return task;
}

Task tool_use(double seconds) {
    Task task;
    task.kind = TaskKind::tool;
    task.resource = 0;
    task.seconds = seconds;
    return task;
}

NetworkModel make_model(std::int64_t places = 1000, int tool_servers = 0) {
    NetworkModel model;
    EndpointModel endpoint;
    endpoint.law.form = LawForm::linear;
    endpoint.law.a = kStep;
    endpoint.limits = {.max_num_seqs = places, .kv_tokens = 1'000'000, .max_batched_tokens = 1000};
    model.endpoints.push_back(endpoint);
    model.tool_servers.push_back(tool_servers);
    return model;
}

NetworkResult play_graph(const NetworkModel& model, const SessionGraph& graph, int users, std::size_t counted) {
    const Script script(graph);
    Load load;
    load.order = {&script};
    load.users = users;
    load.warm_up = static_cast<std::size_t>(2 * users);
    load.counted = counted;
    return play(model, load).value();
}

TEST(Network, OneCallTakesOneStepAToken) {
    const auto result = play_graph(make_model(), {{model_call(10, 50)}}, 1, 3);
    EXPECT_NEAR(result.mean(), 50 * kStep, 1e-6);
    EXPECT_NEAR(result.mean_first_token, kStep, 1e-6);
    EXPECT_NEAR(result.mean_token, kStep, 1e-6);
}

TEST(Network, APromptIsReadInStepsOfTheBudget) {
    EXPECT_NEAR(play_graph(make_model(), {{model_call(2500, 1)}}, 1, 3).mean(), 3 * kStep, 1e-6);
}

TEST(Network, ALoadThatRunsOutLeavesTheLastSessionAlone) {
    NetworkModel model = make_model();
    model.endpoints[0].law.a = 0;
    model.endpoints[0].law.b = kStep;  // two share the server's speed
    const Script script({{model_call(1, 50)}});
    Load load;
    load.order = {&script, &script, &script};
    load.users = load.warm_up = 2;
    load.counted = 1;
    EXPECT_NEAR(play(model, load).value().mean(), 2 * 50 * kStep, 0.1);
    load.runs_out = true;
    EXPECT_NEAR(play(model, load).value().mean(), 50 * kStep, 0.1);
}

TEST(Network, CallsAtTheSameInstantShareEveryStep) {
    const auto result = play_graph(make_model(), {{model_call(10, 50), model_call(10, 50), model_call(10, 20)}}, 1, 3);
    EXPECT_NEAR(result.mean(), 50 * kStep, 1e-6);
}

// A saturated closed network: N users share `places`, so a session takes N / places times as long as alone.
TEST(Network, PlacesBoundASaturatedServer) {
    const auto result = play_graph(make_model(4), {{model_call(10, 50)}}, 16, 200);
    EXPECT_NEAR(result.mean(), 16.0 / 4 * 50 * kStep, 0.02 * 2);
    EXPECT_NEAR(result.sessions_per_second, 4 / (50 * kStep), 0.3);
    EXPECT_GT(result.endpoints[0].full_slots_share, 0.9);
    EXPECT_EQ(result.endpoints[0].peak_sequences, 4u);
}

// The response time law of a closed network: R = N / X - Z, X = k / s when the pool is full.
TEST(Network, AToolPoolFollowsTheResponseTimeLaw) {
    const SessionGraph graph{{tool_use(2)}};
    const Script script(graph);
    Load load{.order = {&script}, .users = 30, .think_time = 4, .warm_up = 60, .counted = 300};
    const auto result = play(make_model(1000, 5), load).value();
    EXPECT_NEAR(result.mean(), 30.0 * 2 / 5 - 4, 0.1);
    EXPECT_NEAR(result.tool_busy[0], 5, 0.2);
    EXPECT_EQ(result.tool_peak[0], 5);
}

// M/D/1: W = s (1 + rho / (2 (1 - rho))), Pollaczek and Khinchine.
TEST(Network, OpenArrivalsQueueAsTheFormulaSays) {
    const SessionGraph graph{{tool_use(1)}};
    const Script script(graph);
    Load load{.order = {&script}, .rate = 0.6, .warm_up = 1000, .counted = 40'000, .seed = 3};
    const double expected = 1 + 0.6 / (2 * 0.4);
    EXPECT_NEAR(play(make_model(1000, 1), load).value().mean(), expected, 0.04 * expected);
}

TEST(Network, MoreArrivalsThanServiceIsOverload) {
    const SessionGraph graph{{tool_use(1)}};
    const Script script(graph);
    Load load{.order = {&script}, .rate = 100, .warm_up = 200'000, .counted = 10};
    EXPECT_TRUE(play(make_model(1000, 1), load).value().overloaded);
}

TEST(Network, ReplicasShareTheLoad) {
    NetworkModel model = make_model(4);
    model.endpoints[0].replicas = 4;
    for (const Routing routing : {Routing::round_robin, Routing::least_loaded, Routing::random}) {
        model.endpoints[0].routing = routing;
        const auto result = play_graph(model, {{model_call(10, 50)}}, 16, 200);
        EXPECT_LT(result.mean(), routing == Routing::random ? 1.3 : 0.56) << to_string(routing);
    }
}

TEST(Network, ShortMemoryPushesSequencesOutButAllEnd) {
    NetworkModel model = make_model(100);
    model.endpoints[0].limits.kv_tokens = 400;
    const auto result = play_graph(model, {{model_call(100, 100)}}, 8, 100);
    EXPECT_EQ(result.session_seconds.size(), 100u);
    EXPECT_GT(result.endpoints[0].preemptions, 0);
    EXPECT_LE(result.endpoints[0].peak_tokens, 400);
}

TEST(Network, ACallLargerThanTheMemoryStillEnds) {
    NetworkModel model = make_model(100);
    model.endpoints[0].limits.kv_tokens = 50;
    EXPECT_EQ(play_graph(model, {{model_call(100, 20)}}, 3, 10).session_seconds.size(), 10u);
}

TEST(Network, PromptsReadAloneHoldUpRunningSequences) {
    NetworkModel model = make_model();
    model.endpoints[0].law.d = 1e-4;
    const SessionGraph graph{{model_call(10, 400)}};
    const Script script(graph);
    const Load load{.order = {&script}, .users = 6, .stagger = 4, .warm_up = 12, .counted = 60};
    const double together = play(model, load)->mean();
    model.endpoints[0].limits.chunked_prefill = false;
    EXPECT_GT(play(model, load)->mean(), together + 3 * kStep);
}

TEST(Network, TheSameSeedGivesTheSameRun) {
    NetworkModel model = make_model(3);
    model.endpoints[0].replicas = 2;
    model.endpoints[0].routing = Routing::random;
    const SessionGraph graph{{model_call(10, 30), tool_use(0.3)}};
    const auto once = play_graph(model, graph, 9, 50), again = play_graph(model, graph, 9, 50);
    EXPECT_EQ(once.session_seconds, again.session_seconds);
    EXPECT_EQ(once.steps, again.steps);
}

}  // namespace
}  // namespace plimsoll::forecast
