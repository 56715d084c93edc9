// What a checkpoint costs: to put and get in memory, to put durably in SQLite by one session and by many, and the memory of
// sessions that wait. LangGraph's figures for the same things: tools/bench_langgraph.sh.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

#include "base/files.h"
#include "graph/memory_saver.h"
#include "graph/sqlite_saver.h"

namespace plimsoll::graph {
namespace {

constexpr int kWaitingSessions = 10'000;

Blob blob(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

// A graph of three nodes with a question, a list and their triggers, after step `step`.
Checkpoint small_checkpoint(std::int64_t step) {
    static constexpr std::array kNodes{"plan", "search", "write"};
    Checkpoint checkpoint;
    checkpoint.id = make_checkpoint_id();
    checkpoint.created_at = "2026-11-22T22:55:31.111717+00:00";
    const auto version = static_cast<Version>(step + 2);
    checkpoint.values = {{"question", blob("\"why do tides come twice a day?\"")}, {"notes", blob("[1,2,3]")}};
    checkpoint.versions = {{"question", 1}, {"notes", version}, {"__start__", 1}};
    for (const char* node : kNodes) {
        const std::string trigger = std::string("branch:to:") + node;
        checkpoint.versions[trigger] = version;
        checkpoint.seen[node][trigger] = version;
    }
    checkpoint.updated = {"notes"};
    return checkpoint;
}

CheckpointMetadata metadata_of(std::int64_t step) {
    CheckpointMetadata metadata;
    metadata.step = step;
    return metadata;
}

asio::awaitable<void> put_each(benchmark::State& state, CheckpointSaver& saver, std::string thread) {
    CheckpointKey key{std::move(thread), "", ""};
    Checkpoint checkpoint = small_checkpoint(0);
    for (auto _ : state) {
        checkpoint.id = make_checkpoint_id();
        checkpoint.values["notes"] = blob("[1,2,3]");
        const auto stored = co_await saver.put(key, checkpoint, metadata_of(1), {"notes"});
        if (!stored) state.SkipWithError(stored.error().message.c_str());
        key.id = checkpoint.id;
    }
}

void memory_put(benchmark::State& state) {
    MemorySaver saver(100);
    asio::io_context loop;
    asio::co_spawn(loop, put_each(state, saver, "thread"), asio::detached);
    loop.run();
}

asio::awaitable<void> get_each(benchmark::State& state, CheckpointSaver& saver) {
    const auto stored = co_await saver.put({"thread", "", ""}, small_checkpoint(0), metadata_of(0), {"notes", "question"});
    if (!stored) state.SkipWithError(stored.error().message.c_str());
    for (auto _ : state) {
        auto latest = co_await saver.get({"thread", "", ""});
        benchmark::DoNotOptimize(latest);
    }
}

void memory_get(benchmark::State& state) {
    MemorySaver saver;
    asio::io_context loop;
    asio::co_spawn(loop, get_each(state, saver), asio::detached);
    loop.run();
}

std::shared_ptr<SqliteSaver> open(benchmark::State& state, const TemporaryFolder& folder) {
    auto saver = SqliteSaver::open(folder.path() / "state.db");
    if (saver) return *saver;
    state.SkipWithError(saver.error().message.c_str());
    return nullptr;
}

void sqlite_get(benchmark::State& state) {
    const TemporaryFolder folder;
    const auto saver = open(state, folder);
    if (!saver) return;
    asio::io_context loop;
    asio::co_spawn(loop, get_each(state, *saver), asio::detached);
    loop.run();
}

asio::awaitable<void> put_once(benchmark::State& state, CheckpointSaver& saver, CheckpointKey key, Checkpoint checkpoint) {
    const auto stored = co_await saver.put(std::move(key), std::move(checkpoint), metadata_of(1), {"notes", "question"});
    if (!stored) state.SkipWithError(stored.error().message.c_str());
}

// As many sessions as the argument put at the same time, each waiting until its checkpoint is on the disk.
void sqlite_put(benchmark::State& state) {
    const TemporaryFolder folder;
    const auto saver = open(state, folder);
    if (!saver) return;
    asio::io_context loop;
    for (auto _ : state) {
        for (std::int64_t i = 0; i < state.range(0); ++i)
            asio::co_spawn(loop, put_once(state, *saver, {std::to_string(i), "", ""}, small_checkpoint(1)), asio::detached);
        loop.restart();
        loop.run();
    }
    state.counters["per_put"] = benchmark::Counter(static_cast<double>(state.range(0)),
                                                   benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// A session that waits for a person: the checkpoints of its input and two steps, and an interrupt.
asio::awaitable<void> park(CheckpointSaver& saver, std::string thread) {
    CheckpointKey key{std::move(thread), "", ""};
    Checkpoint checkpoint;
    for (std::int64_t step = -1; step < 2; ++step) {
        Checkpoint next = small_checkpoint(step);
        if (step >= 0) next.values["question"] = checkpoint.values["question"];
        checkpoint = std::move(next);
        auto stored = co_await saver.put(key, checkpoint, metadata_of(step), {"notes"});
        PLIMSOLL_CHECK(stored.has_value(), "a put into memory");
        key.id = checkpoint.id;
    }
    std::vector<PendingWrite> writes;
    writes.push_back({"", std::string(kInterruptChannel), blob(R"({"id":"0123456789abcdef0123456789abcdef","value":"go on?"})")});
    auto stored = co_await saver.put_writes(key, "fedcba9876543210fedcba9876543210", std::move(writes));
    PLIMSOLL_CHECK(stored.has_value(), "a write into memory");
}

asio::awaitable<void> park_all(CheckpointSaver& saver) {
    for (int i = 0; i < kWaitingSessions; ++i) co_await park(saver, "session-" + std::to_string(i));
}

std::size_t heap_bytes() {
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

void memory_of_waiting_sessions(benchmark::State& state) {
    double bytes = 0;
    for (auto _ : state) {
        const std::size_t before = heap_bytes();
        MemorySaver saver;
        asio::io_context loop;
        asio::co_spawn(loop, park_all(saver), asio::detached);
        loop.run();
        bytes = static_cast<double>(heap_bytes() - before);
    }
    state.counters["bytes_per_session"] = bytes / kWaitingSessions;
    state.counters["total_mb"] = bytes / (1 << 20);
}

BENCHMARK(memory_put);
BENCHMARK(memory_get);
BENCHMARK(sqlite_get)->UseRealTime();
BENCHMARK(sqlite_put)->Arg(1)->Arg(16)->Arg(256)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(memory_of_waiting_sessions)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace plimsoll::graph
