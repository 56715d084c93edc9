// Sessions that are cancelled at random points, with checkpoints, inner graphs, questions, time limits, retries and streams in
// play, and resumed until they are finished: nothing leaks, nothing hangs, every one ends with the same result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>

#include "base/random.h"
#include "graph/conformance_cases.h"
#include "graph/test_saver.h"

namespace plimsoll::graph {
namespace {

// Counts itself while it is alive.
class Alive {
  public:
    explicit Alive(int* count) : count_(count) { ++*count_; }
    ~Alive() { --*count_; }
    Alive(const Alive&) = delete;
    Alive& operator=(const Alive&) = delete;

  private:
    int* count_;
};

// One session's surroundings: what is alive, and when it is cancelled.
struct World {
    int alive = 0;
    int countdown = 0;
    int failures = 0;
    asio::cancellation_signal cancel;

    void point() {
        if (countdown-- == 0) cancel.emit(asio::cancellation_type::terminal);
    }
};

asio::awaitable<Result<Update<Trail>>> yield(World* world, int times, std::string name, StepInfo info) {
    const Alive self(&world->alive);
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < times; ++i) {
        co_await asio::post(executor, asio::use_awaitable);
        world->point();
        co_await info.write(i);
    }
    if (name == "weak" && ++world->failures % 2 == 1) co_return fail(ErrorCode::connect, "the first time");
    co_return *leave({name});
}

asio::awaitable<Result<Update<Trail>>> ask(World* world, StepInfo info) {
    const Alive self(&world->alive);
    world->point();
    const json::value answer = co_await interrupt(info, "?");
    world->point();
    co_return *leave({to_text(answer)});
}

StateGraph<Trail> inner_graph(World* world) {
    auto inner = trail({});
    inner.add_node("deep", [world](event::Context, Trail, StepInfo info) { return yield(world, 2, "deep", info); });
    inner.add_node("ask", [world](event::Context, Trail, StepInfo info) { return ask(world, info); });
    add_chain(inner, {"deep", "ask"});
    return inner;
}

CompiledGraph<Trail> outer_graph(World* world, std::shared_ptr<CheckpointSaver> saver) {
    const RetryPolicy retry{.initial = std::chrono::milliseconds(0), .jitter = false};
    auto graph = trail({"plain"});
    graph.add_node(
        "sub", compiled(inner_graph(world)), [](const Trail&) { return Trail{}; }, [](const Trail& state) { return *leave(state.out); });
    graph.add_node("slow", [world](event::Context, Trail, StepInfo info) { return yield(world, 3, "slow", info); },
                   {.timeouts = {.run = std::chrono::seconds(100), .idle = std::chrono::seconds(50)}});
    graph.add_node("weak", [world](event::Context, Trail, StepInfo info) { return yield(world, 1, "weak", info); }, {.retry = {retry}});
    graph.add_node<int>("sent", [world](event::Context, int times, StepInfo info) { return yield(world, times, "sent", info); });
    graph.add_node("alone", [world](event::Context, Trail, StepInfo info) { return yield(world, 1, "alone", info); });
    for (const char* name : {"sub", "slow", "plain", "weak"}) graph.add_edge(kStart, name);
    graph.add_edge({"sub", "slow", "plain", "weak"}, "alone");
    graph.add_conditional_edges("alone",
                                [](const Trail&) { return std::vector<Target>{send("sent", 1), send("sent", 0), send("sent", 2)}; });
    return compiled(graph, {.saver = std::move(saver)});
}

asio::awaitable<Result<RunResult<Trail>>> run_once(CompiledGraph<Trail> graph, Input<Trail> input, RunOptions options, bool streams) {
    if (!streams) co_return co_await graph.run({}, std::move(input), std::move(options));
    options.modes = StreamMode::custom | StreamMode::updates | StreamMode::tasks;
    options.subgraphs = true;
    auto stream = graph.stream({}, std::move(input), std::move(options), 2);
    co_await asio::this_coro::throw_if_cancelled(false);
    while (co_await stream.next()) continue;
    co_return co_await stream.finish();
}

Result<RunResult<Trail>> run_cancellable(World& world, const CompiledGraph<Trail>& graph, Input<Trail> input, RunOptions options,
                                         bool streams) {
    asio::io_context loop;
    std::optional<Result<RunResult<Trail>>> result;
    asio::co_spawn(
        loop, run_once(graph, std::move(input), std::move(options), streams),
        asio::bind_cancellation_slot(world.cancel.slot(), [&](std::exception_ptr exception, std::optional<Result<RunResult<Trail>>> out) {
            if (!exception) result = std::move(out);
        }));
    loop.run();  // returns only when nothing is left waiting
    if (!result) return fail(ErrorCode::internal, "ended in an exception");
    return std::move(*result);
}

TEST(Stress, CancelledAtRandomPointsAndResumed) {
    constexpr int kSessions = 250;
    constexpr int kMostRuns = 40;
    Random random(7);
    int cancellations = 0;
    for (int session = 0; session < kSessions; ++session) {
        World world;
        const auto saver = std::make_shared<HookedSaver>([&]() -> Result<void> {
            world.point();
            return {};
        });
        const auto graph = outer_graph(&world, saver);
        RunOptions options{.max_concurrency = session % 3u, .thread = "t"};
        options.durability = std::array{Durability::sync, Durability::async, Durability::exit}[session % 3];
        Input<Trail> input = Trail{};
        bool finished = false;
        for (int run = 0; run < kMostRuns && !finished; ++run) {
            world.countdown = run + 5 < kMostRuns ? static_cast<int>(random.uniform(0, 40)) : -1;
            const auto out = run_cancellable(world, graph, input, options, session % 2 == 1);
            ASSERT_EQ(world.alive, 0) << "session " << session;
            if (!out) {
                ASSERT_EQ(out.error().code, ErrorCode::cancelled) << "session " << session << ": " << out.error().message;
                ++cancellations;
            } else if (out->ending == Ending::finished) {
                EXPECT_EQ(out->state.out, (Names{"plain", "slow", "deep", "yes", "weak", "alone", "sent", "sent", "sent"}));
                finished = true;
                continue;
            }
            const auto state = run_on_loop(graph.get_state({"t", "", ""}));
            ASSERT_TRUE(state);
            if (state->key.id.empty()) continue;  // cancelled before anything was kept
            input = state->interrupts.empty() ? Resume{} : Resume{.answer = "yes"};
        }
        EXPECT_TRUE(finished) << "session " << session;
    }
    EXPECT_GT(cancellations, kSessions / 2);
}

}  // namespace
}  // namespace plimsoll::graph
