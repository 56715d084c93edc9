// `plimsoll load` against the simulated model in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "configs.h"
#include "program.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class Load : public testing::Test {
  protected:
    std::filesystem::path folder() const { return folder_.path(); }
    Finished load(std::vector<std::string> more) {
        std::vector<std::string> arguments = {"load", "--url", model_.url(), "-o", "out"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    }
    json::value summary() { return parse_json(load_file(folder() / "out" / "load_summary.json").value()).value(); }
    std::string metrics_url() const { return model_.url().substr(0, model_.url().size() - 3) + "/metrics"; }

  private:
    TemporaryFolder folder_;

  protected:
    SimulatedModel model_{folder_.path(), {"--itl", "0.001"}};
};

TEST_F(Load, ClosedLoopWritesEverything) {
    const auto result = load({"--users", "4", "--max_requests", "40", "--turns", "2", "--threshold", "error_rate < 1%", "--threshold",
                              "p(95) latency < 30s", "--min_open", "4", "--metrics_url", metrics_url(), "--sample_every", "0.1"});
    ASSERT_EQ(result.exit_code, 0) << result.err << result.out;
    EXPECT_EQ(get_int(summary(), "calls"), 80);
    EXPECT_EQ(get_int(summary(), "peak_calls_in_flight"), 4);
    EXPECT_EQ(get_int(summary(), "completion_tokens"), 80 * 16);
    EXPECT_LE(summary().at("server_peak").to_number<double>(), 4);  // the server speaks vLLM's and llama.cpp's language
    for (const char* name :
         {"requests.csv", "timeline.csv", "samples.csv", "server_metrics.prom", "server_gauges.csv", "all_requests_profiler_traces.json",
          "report.html", "load_over_time.png", "load_over_time.svg", "machine.png", "machine.svg"})
        EXPECT_TRUE(std::filesystem::exists(folder() / "out" / name)) << name;
    // The same again later, beside whatever else there is.
    ASSERT_EQ(run_program({"report", "--load_dir", "out", "-o", "later.html"}, folder()).exit_code, 0);
    for (const char* page : {"out/report.html", "later.html"})
        EXPECT_THAT(load_file(folder() / page).value(),
                    AllOf(HasSubstr("closed loop, 4 users"), HasSubstr("Latency, each second"), HasSubstr("Processor"),
                          HasSubstr("p(95) latency &lt; 30s"), HasSubstr("40 sessions started")))
            << page;
    EXPECT_EQ(run_program({"report", "--load_dir", "nowhere"}, folder()).exit_code, 1);
}

TEST_F(Load, WhatOneRunRecordsAnotherReplays) {
    ASSERT_EQ(load({"--users", "2", "--max_requests", "4", "--no_sampling"}).exit_code, 0);
    const auto recorded = (folder() / "out" / "all_requests_profiler_traces.json").string();
    std::filesystem::copy_file(recorded, folder() / "recorded.json");
    const auto replayed = load({"--users", "2", "--max_requests", "6", "--replay", "recorded.json", "--speed", "4", "--no_sampling"});
    EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
    EXPECT_EQ(get_int(summary(), "calls"), 6);
    // The run folder itself, at its starts, another length of answers than the server's own.
    std::filesystem::rename(folder() / "out", folder() / "first");
    const auto again = load({"--replay", "first", "--no_sampling", "--max_schedule_error", "10s"});
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_THAT(again.out, HasSubstr("6 recorded arrivals"));
    EXPECT_EQ(get_int(summary(), "completion_tokens"), 6 * 16);
}

// Nothing of an earlier run may pass for this one's.
TEST_F(Load, ARunReplacesTheOneBefore) {
    ASSERT_EQ(load({"--users", "1", "--max_requests", "2", "--metrics_url", metrics_url()}).exit_code, 0);
    ASSERT_EQ(load({"--users", "1", "--max_requests", "1", "--no_sampling"}).exit_code, 0);
    for (const char* name : {"samples.csv", "server_metrics.prom", "server_gauges.csv", "machine.png", "machine.svg"})
        EXPECT_FALSE(std::filesystem::exists(folder() / "out" / name)) << name;
}

TEST_F(Load, ThresholdsAndTheLoadItselfHaveTheirExitCodes) {
    EXPECT_EQ(load({"--users", "1", "--max_requests", "3", "--threshold", "p(50) ttft < 1us"}).exit_code, 3);
    EXPECT_EQ(load({"--users", "1", "--max_requests", "3", "--min_open", "2"}).exit_code, 4);
    EXPECT_EQ(load({"--rate", "100", "--duration", "200ms", "--max_in_flight", "1"}).exit_code, 4);
}

// A workflow in the load generator's own process: what it did inside is in the run's folder.
TEST_F(Load, OfAWorkflowInThisProcess) {
    ASSERT_TRUE(save_file(folder() / "config.yml", chat_config(model_.url())));
    const auto run = [&](std::vector<std::string> more) {
        std::vector<std::string> arguments = {"load", "--config_file", "config.yml", "--users", "2", "--max_requests", "4", "-o", "out"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    };
    const auto result = run({});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(get_int(summary(), "completion_tokens"), 4 * 16);
    EXPECT_EQ(get_int(summary().at("metrics").at("ttft"), "count"), 4);
    const auto profile = run_program({"profile", "out", "--output_dir", "profiled"}, folder());
    EXPECT_EQ(profile.exit_code, 0) << profile.err;
    EXPECT_THAT(load_file(folder() / "profiled" / "profile.json").value(),
                testing::AllOf(HasSubstr("chat_completion"), HasSubstr("simulated")));

    EXPECT_EQ(run({"--timeout", "1ms"}).exit_code, 1);
    EXPECT_TRUE(find(summary().at("errors"), "timeout"));
    for (const char* ignored : {"--target", "--kind", "--model", "--replay"}) EXPECT_EQ(run({ignored, "chat"}).exit_code, 2) << ignored;
}

TEST_F(Load, WrongUse) {
    for (const auto& flags : std::vector<std::vector<std::string>>{
             {},
             {"--users", "2"},
             {"--users", "2", "--rate", "5", "--duration", "1s"},
             {"--users", "2", "--duration", "soon"},
             {"--users", "2", "--duration", "1s", "--threshold", "p(95) < 2s"},
             {"--rate", "5"},
             {"--stages", "1s:x"},
             {"--users", "1", "--max_requests", "1", "--kind", "nat", "--target", "x"},
             {"--users", "1", "--max_requests", "1", "--metrics_url", "http://h/m", "--metrics_url", "http://h/m"},
             {"--users", "1", "--max_requests", "1", "--header", "nothing"}})
        EXPECT_EQ(load(flags).exit_code, 2);
    const auto remote = run_program({"load", "--url", "http://192.0.2.1/v1", "--users", "1", "--max_requests", "1"}, folder());
    EXPECT_EQ(remote.exit_code, 2);
    EXPECT_THAT(remote.err, HasSubstr("--allow_remote"));
}

TEST_F(Load, NobodyThere) {
    const auto result =
        run_program({"load", "--url", "http://127.0.0.1:1/v1", "--users", "2", "--max_requests", "4", "-o", "out"}, folder());
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(summary().at("errors").at("connect").at("count").to_number<int>(), 4);
}

TEST_F(Load, CtrlCKeepsTheResultsSoFar) {
    Program program({"load", "--url", model_.url(), "--users", "2", "--duration", "1h", "-o", "out"}, folder());
    const auto requests = folder() / "out" / "requests.csv";
    // The file's first lines say that the run is under way.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (load_file(requests).value_or("").size() < 500 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    program.send_signal(SIGINT);
    EXPECT_EQ(program.finish().exit_code, 130);
    EXPECT_TRUE(summary().at("interrupted").as_bool());
    EXPECT_GT(get_int(summary(), "calls").value_or(0), 0);
}

class FaultyLoad : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(FaultyLoad, EveryCallIsAnErrorOfItsKind) {
    TemporaryFolder folder;
    const SimulatedModel model(folder.path(), {"--fault", std::string(GetParam().first) + "=1"});
    const auto result = run_program(
        {"load", "--url", model.url(), "--users", "2", "--max_requests", "4", "--timeout", "200ms", "-o", "out", "--no_sampling"},
        folder.path());
    EXPECT_EQ(result.exit_code, 1) << result.err;
    const auto summary = parse_json(load_file(folder.path() / "out" / "load_summary.json").value()).value();
    EXPECT_EQ(get_int(summary, "failed"), 4);
    EXPECT_TRUE(find(summary.at("errors"), GetParam().second)) << to_compact_json(summary.at("errors"));
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultyLoad,
                         testing::Values(std::pair("500", "http 500"), std::pair("429", "http 429"), std::pair("cut", "bad_response"),
                                         std::pair("garbage", "bad_response"), std::pair("html", "bad_response"),
                                         std::pair("reset", "bad_response"), std::pair("hang", "timeout"), std::pair("hang_mid", "timeout"),
                                         std::pair("bad_json", "bad_response")),
                         [](const auto& info) { return std::string("fault_") + info.param.first; });

}  // namespace
}  // namespace plimsoll::test
