// `plimsoll sim`: the simulated model server as a process, and in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/files.h"
#include "base/json.h"
#include "program.h"

namespace plimsoll::test {
namespace {

// A shell's limit, which the program inherits.
class LowLimit {
  public:
    LowLimit() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit low = before_;
        low.rlim_cur = 256;
        ::setrlimit(RLIMIT_NOFILE, &low);
    }
    ~LowLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    LowLimit(const LowLimit&) = delete;
    LowLimit& operator=(const LowLimit&) = delete;

  private:
    rlimit before_{};
};

TEST(SimServe, TakesAsManyConnectionsAsTheSystemAllows) {
    TemporaryFolder folder;
    const LowLimit limit;
    Program server({"sim", "serve", "--port", "0"}, folder.path());
    ASSERT_NE(server.wait_for_line("listening on"), "");
    const auto limits = load_file("/proc/" + std::to_string(server.pid()) + "/limits").value();
    EXPECT_THAT(limits, testing::Not(testing::ContainsRegex("Max open files +256 ")));
}

TEST(SimServe, WrongUse) {
    TemporaryFolder folder;
    for (const auto& flags : std::vector<std::vector<std::string>>{
             {"--slow_start", "7200"}, {"--slow_start", "-1"}, {"--retry_after", "3601"}, {"--retry_after", "soon"}, {"--ttft", "1e300"}}) {
        std::vector<std::string> arguments = {"sim", "serve", "--port", "0"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        EXPECT_EQ(run_program(arguments, folder.path()).exit_code, 2) << flags.back();
    }
}

// Virtual time: what `sim serve` and `load` would do, computed.
class SimPlay : public testing::Test {
  protected:
    json::value play(std::vector<std::string> flags, int exit_code = 0) {
        std::vector<std::string> arguments = {"sim", "play", "--json"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const auto result = run_program(arguments, folder_.path());
        EXPECT_EQ(result.exit_code, exit_code) << result.err;
        return parse_json(result.out).value_or(nullptr);
    }
    std::string file(const char* name) { return load_file(folder_.path() / name).value(); }
    static double at(const json::value& summary, const char* metric, const char* value) {
        return summary.at("metrics").at(metric).at(value).to_number<double>();
    }
    TemporaryFolder folder_;
};

const std::vector<std::string> kFixed = {"--ttft", "0.2", "--itl", "0.02", "--tokens", "41"};

std::vector<std::string> operator+(std::vector<std::string> flags, const std::vector<std::string>& more) {
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
}

TEST_F(SimPlay, FixedDelaysAddUp) {
    const auto summary = play(kFixed + std::vector<std::string>{"--users", "5", "--max_requests", "20"});
    EXPECT_EQ(get_int(summary, "calls"), 20);
    EXPECT_EQ(get_int(summary, "completion_tokens"), 20 * 41);
    EXPECT_EQ(get_int(summary, "peak_calls_in_flight"), 5);
    EXPECT_NEAR(at(summary, "ttft", "mean_s"), 0.2, 1e-6);
    EXPECT_NEAR(at(summary, "itl", "mean_s"), 0.02, 1e-6);
    EXPECT_NEAR(at(summary, "latency", "max_s"), 1.0, 1e-6);
    EXPECT_NEAR(summary.at("elapsed_s").to_number<double>(), 4.0, 1e-6);
    // Two places for four users: the second pair waits for the first.
    const auto queued = play(kFixed + std::vector<std::string>{"--users", "4", "--max_requests", "4", "--max_concurrency", "2"});
    EXPECT_NEAR(at(queued, "latency", "mean_s"), 1.5, 1e-6);
    EXPECT_NEAR(at(queued, "latency", "max_s"), 2.0, 1e-6);
}

TEST_F(SimPlay, ThinkingRampsAndArrivals) {
    // Starts at 0 and 5 s, a second of work and one of thought: 5 and 3 sessions begin within ten seconds.
    const auto closed = play(kFixed + std::vector<std::string>{"--users", "2", "--ramp_up", "10s", "--think", "1s", "--duration", "10s"});
    EXPECT_EQ(get_int(closed, "sessions_started"), 8);
    const std::vector<std::string> shorter = {"--ttft", "0.2", "--itl", "0.02", "--tokens", "40"};  // 0.98 s: no end meets a start
    const auto open =
        play(shorter + std::vector<std::string>{"--rate", "10", "--arrival", "constant", "--duration", "60s", "--warmup", "10s"});
    EXPECT_EQ(get_int(open, "sessions_started"), 600);
    EXPECT_NEAR(open.at("calls_per_s").to_number<double>(), 10, 0.1);
    EXPECT_EQ(get_int(open, "peak_calls_in_flight"), 10);
    const auto bounded =
        play(shorter + std::vector<std::string>{"--rate", "10", "--arrival", "constant", "--duration", "10s", "--max_in_flight", "5"});
    EXPECT_EQ(get_int(bounded, "starts_dropped"), 50);
    EXPECT_EQ(get_int(bounded, "peak_calls_in_flight"), 5);
}

TEST_F(SimPlay, TheSameArgumentsGiveTheSameFiles) {
    const std::vector<std::string> flags = {"--profile",           "h100-8b-vllm", "--replicas", "2",  "--users", "50",
                                            "--max_requests",      "100",          "--turns",    "2",  "--think", "2s",
                                            "--exponential_think", "--seed",       "7",          "-o", "out"};
    play(flags);
    const std::string requests = file("out/requests.csv"), traces = file("out/all_requests_profiler_traces.json"),
                      samples = file("out/samples.csv");
    play(flags);
    EXPECT_EQ(file("out/requests.csv"), requests);
    EXPECT_EQ(file("out/all_requests_profiler_traces.json"), traces);
    EXPECT_EQ(file("out/samples.csv"), samples);
    EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out" / "report.html"));
    play(flags + std::vector<std::string>{"--seed", "8"}, 2);  // a flag given twice
}

TEST_F(SimPlay, WhatItLeavesCanBePlayedAgain) {
    const auto first =
        play(kFixed + std::vector<std::string>{"--rate", "2", "--duration", "20s", "--turns", "2", "--pause", "500ms", "-o", "out"});
    const auto again = play({"--ttft", "0.2", "--itl", "0.02", "--replay", "out"});
    EXPECT_EQ(get_int(again, "sessions_started"), get_int(first, "sessions_started"));
    EXPECT_EQ(get_int(again, "completion_tokens"), get_int(first, "completion_tokens"));
    EXPECT_NEAR(at(again, "session", "mean_s"), at(first, "session", "mean_s"), 1e-3);
    const auto faster = play({"--ttft", "0.2", "--itl", "0.02", "--replay", "out", "--speed", "2"});
    EXPECT_NEAR(at(faster, "session", "mean_s"), at(first, "session", "mean_s") - 0.25, 1e-3);
}

TEST_F(SimPlay, WhatDoesNotEndInTime) {
    const auto cut = play({"--ttft", "10", "--users", "3", "--duration", "2s", "--drain", "1s"}, 1);
    EXPECT_EQ(get_int(cut, "unfinished"), 3);
    EXPECT_NEAR(cut.at("elapsed_s").to_number<double>(), 3.0, 1e-6);
    const auto late = play({"--ttft", "10", "--users", "3", "--max_requests", "6", "--timeout", "1s"}, 1);
    EXPECT_EQ(get_int(late.at("errors").at("timeout"), "count"), 6);
    // What no replica can hold is refused, and users come back later and later.
    const auto refused = play({"--profile", "h100-8b-vllm", "--kv_blocks", "1", "--users", "2", "--duration", "30s"}, 1);
    EXPECT_EQ(refused.at("errors").as_object().begin()->key(), "http 400");
    EXPECT_LT(get_int(refused, "calls").value(), 40);
    EXPECT_EQ(
        play(kFixed + std::vector<std::string>{"--users", "1", "--max_requests", "1", "--threshold", "p(50) ttft < 100ms"}, 3).at("calls"),
        1);
    play({"--users", "1"}, 2);
    play({"--users", "1", "--max_requests", "1", "--profile", "nothing"}, 2);
    play({"--users", "1", "--max_requests", "1", "--url", "http://127.0.0.1:1/v1"}, 2);
}

}  // namespace
}  // namespace plimsoll::test
