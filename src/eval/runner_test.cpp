#include "eval/runner.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <mutex>
#include <set>

#include "base/files.h"
#include "record/event_log.h"

namespace plimsoll::eval {
namespace {

using testing::ElementsAre;

constexpr auto kForever = std::chrono::hours(1);

std::vector<DatasetItem> make_items(int count) {
    std::vector<json::object> rows;
    for (int i = 0; i < count; ++i) rows.push_back({{"id", i}, {"question", "q" + std::to_string(i)}});
    return make_dataset(rows, {})->items;
}

RunOptions make_options(const std::filesystem::path& folder, int items, int concurrency = 2) {
    RunOptions options;
    options.items = make_items(items);
    options.folder = folder;
    options.max_concurrency = concurrency;
    options.config_hash = "cfg";
    options.seed = 42;
    options.clock = [] { return 1000.0; };
    return options;
}

void record_call(event::Session& session) {
    event::ScopedSpan call(session.root(), event::Category::llm, "m", session.info().number);
    call.set_usage({.token_usage = {.prompt_tokens = 1, .completion_tokens = 2, .total_tokens = 3}});
    call.end();
}

asio::awaitable<void> pass_the_thread(int times) {
    for (int i = 0; i < times; ++i) {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::steady_clock::now());
        co_await timer.async_wait(asio::use_awaitable);
    }
}

// The answer to "q3" is "a3" plus a random number of the session's own.
asio::awaitable<SessionOutcome> answer(std::shared_ptr<event::Session> session, DatasetItem item) {
    record_call(*session);
    co_await pass_the_thread(3);
    record_call(*session);
    co_return SessionOutcome{json::value("a" + to_text(item.id) + session->random().hex(4)), {}};
}

asio::awaitable<SessionOutcome> hang(std::shared_ptr<event::Session> session, DatasetItem) {
    record_call(*session);
    co_await net::sleep_for(kForever);
    co_return SessionOutcome{};
}

struct Load {
    std::mutex mutex;
    int running = 0;
    int most = 0;
    std::vector<std::int64_t> order;
    std::set<std::thread::id> threads;
};

asio::awaitable<SessionOutcome> count_load(Load& load, std::shared_ptr<event::Session> session) {
    {
        const std::lock_guard lock(load.mutex);
        load.order.push_back(session->info().number);
        load.most = std::max(load.most, ++load.running);
        load.threads.insert(std::this_thread::get_id());
    }
    const auto thread = std::this_thread::get_id();
    co_await pass_the_thread(5);
    EXPECT_EQ(std::this_thread::get_id(), thread);
    const std::lock_guard lock(load.mutex);
    --load.running;
    co_return SessionOutcome{"ok", {}};
}

class RunnerTest : public testing::Test {
  protected:
    RunResult run(SessionRunner runner, RunOptions options) {
        net::IoPool pool(2);
        auto result = run_sessions(pool, std::move(runner), std::move(options));
        EXPECT_TRUE(result) << result.error().message;
        return result ? std::move(*result) : RunResult{};
    }

    TemporaryFolder folder_;
};

// Everything of a run that does not depend on when it happened.
std::string essence(const RunResult& run) {
    json::array items;
    for (const auto& item : run.items) {
        json::array steps;
        for (const auto& step : item.steps) steps.push_back(event::to_json(step));
        items.push_back(
            {{"id", item.item.id}, {"output", item.output}, {"error", item.error ? item.error->message : ""}, {"steps", steps}});
    }
    return run.run_id + to_compact_json(items);
}

TEST_F(RunnerTest, AnswersEveryItemInOrder) {
    const RunResult result = run(answer, make_options(folder_.path(), 5));
    ASSERT_EQ(result.items.size(), 5u);
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_THAT(to_text(result.items[i].output), testing::StartsWith("a" + std::to_string(i)));
        EXPECT_EQ(result.items[i].steps.size(), 4u);
        EXPECT_EQ(result.items[i].usage.total_tokens, 6);
        EXPECT_EQ(result.items[i].start, 1000);
    }
    EXPECT_EQ(result.failed(), 0u);
    EXPECT_FALSE(result.interrupted);
    EXPECT_FALSE(result.log_error);
    const auto log = record::load_event_log(folder_.path() / record::kEventLogName);
    ASSERT_TRUE(log);
    EXPECT_EQ(log->sessions.size(), 5u);
    EXPECT_EQ(log->sessions.at(4).steps.size(), 4u);
}

TEST_F(RunnerTest, AnItemIsMeantToStartWhenItsPlaceIsFree) {
    auto options = make_options(folder_.path(), 3, 1);
    std::atomic<int> now = 1000;
    options.clock = [&now] { return static_cast<double>(now++); };
    const RunResult result = run(answer, options);
    EXPECT_LT(result.items[0].intended_start, result.items[0].start);
    EXPECT_EQ(result.items[1].intended_start, result.items[0].end);
    EXPECT_EQ(result.items[2].intended_start, result.items[1].end);
    EXPECT_GT(result.items[2].start, result.items[2].intended_start);
}

TEST_F(RunnerTest, TheSameSeedGivesTheSameRun) {
    TemporaryFolder other;
    auto options = make_options(other.path(), 6, 0);
    EXPECT_EQ(essence(run(answer, make_options(folder_.path(), 6, 1))), essence(run(answer, options)));
    options.seed = 43;
    EXPECT_NE(essence(run(answer, make_options(folder_.path(), 6, 1))), essence(run(answer, options)));
}

TEST_F(RunnerTest, HoldsItsConcurrencyAndStartsInOrder) {
    Load load;
    run([&](std::shared_ptr<event::Session> session, DatasetItem) { return count_load(load, session); },
        make_options(folder_.path(), 40, 3));
    EXPECT_LE(load.most, 3);
    EXPECT_EQ(load.order.size(), 40u);
    EXPECT_EQ(load.threads.size(), 2u);
    // Two threads may swap neighbours between taking a number and writing it down.
    for (std::size_t i = 0; i < load.order.size(); ++i) EXPECT_NEAR(static_cast<double>(load.order[i]), static_cast<double>(i), 3);

    Load serial;
    run([&](std::shared_ptr<event::Session> session, DatasetItem) { return count_load(serial, session); },
        make_options(folder_.path(), 8, 1));
    EXPECT_EQ(serial.most, 1);
    EXPECT_THAT(serial.order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(RunnerTest, ThousandsAtOnce) {
    auto options = make_options(folder_.path(), 3000, 0);
    EXPECT_EQ(run(answer, options).failed(), 0u);
}

asio::awaitable<SessionOutcome> misbehave(std::shared_ptr<event::Session> session, DatasetItem item) {
    record_call(*session);
    co_await pass_the_thread(1);
    switch (item.id.as_int64()) {
        case 1: throw std::runtime_error("thrown");
        case 2: co_return SessionOutcome{"lost", Error{ErrorCode::http_status, "busy", 503}};
        default: co_return SessionOutcome{"fine", {}};
    }
}

TEST_F(RunnerTest, AFailingSessionFailsItsItemOnlyAndKeepsItsSteps) {
    const RunResult result = run(misbehave, make_options(folder_.path(), 4));
    EXPECT_EQ(result.failed(), 2u);
    EXPECT_FALSE(result.interrupted);
    EXPECT_EQ(result.items[1].error->code, ErrorCode::internal);
    EXPECT_EQ(result.items[2].error->code, ErrorCode::http_status);
    EXPECT_TRUE(result.items[2].output.is_null());
    EXPECT_EQ(result.items[1].steps.size(), 2u);
    EXPECT_EQ(result.items[3].output, json::value("fine"));
}

TEST_F(RunnerTest, AnEmptyDatasetIsAFinishedRun) {
    const RunResult result = run(answer, make_options(folder_.path(), 0));
    EXPECT_TRUE(result.items.empty());
    EXPECT_FALSE(result.interrupted);
}

TEST_F(RunnerTest, ASessionThatTakesTooLongTimesOut) {
    auto options = make_options(folder_.path(), 3, 1);
    options.session_timeout = std::chrono::milliseconds(20);
    const RunResult result = run(hang, options);
    EXPECT_EQ(result.failed(), 3u);
    for (const auto& item : result.items) {
        EXPECT_EQ(item.error->code, ErrorCode::timeout);
        EXPECT_EQ(item.steps.size(), 2u);
    }
    EXPECT_FALSE(result.interrupted);
}

TEST_F(RunnerTest, TheFirstStopFinishesWhatRuns) {
    std::atomic<Stop> stop{Stop::no};
    auto options = make_options(folder_.path(), 10, 1);
    options.stop = &stop;
    const RunResult result = run(
        [&](std::shared_ptr<event::Session> session, DatasetItem item) {
            if (item.id == json::value(3)) stop = Stop::finish_running;
            return answer(session, item);
        },
        options);
    EXPECT_TRUE(result.interrupted);
    EXPECT_FALSE(result.items[3].error);
    EXPECT_EQ(result.failed(), 6u);
    EXPECT_EQ(result.items[4].error->code, ErrorCode::cancelled);
    EXPECT_EQ(result.items[4].intended_start, 0);
}

TEST_F(RunnerTest, TheSecondStopAbortsWhatRuns) {
    std::atomic<Stop> stop{Stop::no};
    auto options = make_options(folder_.path(), 4, 2);
    options.stop = &stop;
    const RunResult result = run(
        [&](std::shared_ptr<event::Session> session, DatasetItem item) {
            if (item.id == json::value(1)) stop = Stop::abort_running;
            return hang(session, item);
        },
        options);
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.failed(), 4u);
    EXPECT_EQ(result.items[0].error->code, ErrorCode::cancelled);
    EXPECT_EQ(result.items[0].steps.size(), 2u);
}

TEST_F(RunnerTest, ReportsProgressAtTheEnd) {
    auto options = make_options(folder_.path(), 4);
    Progress last;
    options.on_progress = [&](const Progress& progress) { last = progress; };
    run(misbehave, options);
    EXPECT_EQ(last.total, 4u);
    EXPECT_EQ(last.done, 4u);
    EXPECT_EQ(last.failed, 2u);
    EXPECT_EQ(last.running, 0u);
}

TEST_F(RunnerTest, SkipsWhatHasAnAnswer) {
    auto options = make_options(folder_.path(), 3);
    options.items[1].generated_answer = "known";
    options.skip_completed = true;
    const RunResult result = run(answer, options);
    EXPECT_EQ(result.items[1].output, json::value("known"));
    EXPECT_TRUE(result.items[1].resumed);
    EXPECT_TRUE(result.items[1].steps.empty());
    EXPECT_FALSE(result.items[2].resumed);
}

TEST_F(RunnerTest, OneRunAFolder) {
    std::optional<Error> error;
    run(
        [&](std::shared_ptr<event::Session> session, DatasetItem item) {
            net::IoPool pool;
            const auto second = run_sessions(pool, answer, make_options(folder_.path(), 1));
            if (!second) error = second.error();
            return answer(session, item);
        },
        make_options(folder_.path(), 1));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ErrorCode::in_use);
}

TEST_F(RunnerTest, ResumesWhatFailed) {
    auto options = make_options(folder_.path(), 4);
    run(misbehave, options);
    options.resume = true;
    options.seed = 7;  // the log's own seed stays
    const RunResult result = run(answer, options);
    EXPECT_EQ(result.failed(), 0u);
    EXPECT_TRUE(result.items[0].resumed);
    EXPECT_EQ(result.items[0].output, json::value("fine"));
    EXPECT_FALSE(result.items[1].resumed);
    TemporaryFolder other;
    const RunResult whole = run(answer, make_options(other.path(), 4));
    EXPECT_EQ(result.items[1].output, whole.items[1].output);
    EXPECT_EQ(result.run_id, whole.run_id);
}

TEST_F(RunnerTest, ResumesOnlyTheSameRun) {
    run(answer, make_options(folder_.path(), 4));
    net::IoPool pool;
    auto options = make_options(folder_.path(), 5);
    options.resume = true;
    EXPECT_EQ(run_sessions(pool, answer, options).error().code, ErrorCode::config);
    options = make_options(folder_.path(), 4);
    options.resume = true;
    options.config_hash = "other";
    EXPECT_EQ(run_sessions(pool, answer, options).error().code, ErrorCode::config);
}

TEST_F(RunnerTest, ResumesFromNothingAndFromNoDamagedHeader) {
    auto options = make_options(folder_.path(), 3);
    options.resume = true;
    EXPECT_EQ(run(answer, options).failed(), 0u);
    const auto path = folder_.path() / record::kEventLogName;
    const std::string text = *load_file(path);
    ASSERT_TRUE(save_file(path, "{\"t\":\"ru"));
    EXPECT_EQ(run(answer, options).failed(), 0u);
    ASSERT_TRUE(save_file(path, text.substr(1)));
    net::IoPool pool;
    EXPECT_EQ(run_sessions(pool, answer, options).error().code, ErrorCode::config);
}

// ---- what a process that dies leaves behind: the run happens in a child ----

// In the child: answers items below `stuck_from`, hangs in the others, and writes a byte to `pipe` once only those are left.
[[noreturn]] void run_until_stuck(const std::filesystem::path& folder, int stuck_from, int pipe) {
    net::IoPool pool(2);
    auto options = make_options(folder, 12, 3);
    bool told = false;
    options.on_progress = [&](const Progress& progress) {
        if (progress.done == static_cast<std::size_t>(stuck_from) && progress.running == 3 && !std::exchange(told, true))
            static_cast<void>(::write(pipe, "!", 1));
    };
    const auto result = run_sessions(
        pool,
        [&](std::shared_ptr<event::Session> session, DatasetItem item) {
            return item.id.as_int64() < stuck_from ? answer(session, item) : hang(session, item);
        },
        options);
    ::_exit(result ? 0 : 1);
}

TEST_F(RunnerTest, SurvivesKillAndResumesToTheSameResult) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) run_until_stuck(folder_.path(), 5, pipe[1]);
    pollfd ready{pipe[0], POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 60'000), 1);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    ::close(pipe[0]);
    ::close(pipe[1]);

    const auto log = record::load_event_log(folder_.path() / record::kEventLogName);
    ASSERT_TRUE(log);
    EXPECT_EQ(std::ranges::count_if(log->sessions, [](const auto& session) { return session.second.end.has_value(); }), 5);

    auto options = make_options(folder_.path(), 12, 3);
    options.resume = true;
    const RunResult resumed = run(answer, options);
    EXPECT_EQ(std::ranges::count_if(resumed.items, [](const ItemResult& item) { return item.resumed; }), 5);
    TemporaryFolder other;
    EXPECT_EQ(essence(resumed), essence(run(answer, make_options(other.path(), 12, 3))));
}

// In the child: files may not grow beyond 16 KiB. Exit code 0 when the run saw it as it should.
[[noreturn]] void run_on_a_small_disk(const std::filesystem::path& folder) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{16 << 10, 16 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    net::IoPool pool(2);
    const auto result = run_sessions(pool, answer, make_options(folder, 200, 2));
    const bool right = result && result->log_error && result->interrupted && result->items[0].output.is_string() &&
                       result->items[199].error->code == ErrorCode::cancelled;
    ::_exit(right ? 0 : 1);
}

TEST_F(RunnerTest, AFullDiskStopsTheRunAndKeepsWhatWasWritten) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) run_on_a_small_disk(folder_.path());
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    const auto log = record::load_event_log(folder_.path() / record::kEventLogName);
    ASSERT_TRUE(log);
    EXPECT_TRUE(log->sessions.at(0).end);
    EXPECT_EQ(log->corrupt_lines, 0u);
}

TEST(Usage, PairsParallelCallsById) {
    std::vector<event::Step> steps;
    const auto add = [&](event::Phase phase, double time, const char* uuid, std::int64_t tokens = 0) {
        event::Step step;
        step.payload.event_type = {event::Category::llm, phase};
        step.payload.event_timestamp = time;
        step.payload.uuid = uuid;
        step.payload.name = "m";
        if (phase == event::Phase::end) step.payload.usage_info = event::UsageInfo{.token_usage = {.total_tokens = tokens}};
        steps.push_back(step);
    };
    add(event::Phase::start, 10, "a");
    add(event::Phase::start, 11, "b");
    add(event::Phase::end, 13, "a", 5);
    add(event::Phase::end, 12, "b", 7);
    add(event::Phase::end, 14, "nobody");
    EXPECT_THAT(llm_latencies(steps), ElementsAre(3, 1));
    const UsageStats usage = compute_usage(steps);
    EXPECT_EQ(usage.total_tokens, 12);
    EXPECT_EQ(usage.per_llm.at("m").total_tokens, 12);
    EXPECT_EQ(usage.min_timestamp, 10);
    EXPECT_EQ(usage.runtime, 4);
    EXPECT_NEAR(usage.llm_latency, 2.9, 1e-9);
}

TEST(Usage, SessionsWithoutStepsDoNotStretchTheRun) {
    const UsageStats nothing = compute_usage({});
    EXPECT_EQ(nothing.runtime, 0);
    const UsageStats first{.min_timestamp = 100, .max_timestamp = 103};
    const UsageStats second{.min_timestamp = 101, .max_timestamp = 105};
    EXPECT_EQ(total_runtime(std::vector{nothing, first, second, nothing}), 5);
    EXPECT_EQ(total_runtime({}), 0);
}

}  // namespace
}  // namespace plimsoll::eval
