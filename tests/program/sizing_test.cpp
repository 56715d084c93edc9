// `plimsoll sizing calc`, online against the simulated model and offline from what that left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <list>
#include <thread>

#include "base/files.h"
#include "base/json.h"
#include "configs.h"
#include "program.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class Sizing : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(save_file(folder() / "dataset.json", many_questions(4)));
        ASSERT_TRUE(save_file(folder() / "eval.yml", chat_config(model_.url())));
    }
    std::filesystem::path folder() const { return folder_.path(); }
    std::string model_url() const { return model_.url(); }
    Finished sizing(std::vector<std::string> more) {
        std::vector<std::string> arguments = {"sizing", "calc"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    }
    // The newest job folder of a mode.
    std::filesystem::path job(const std::string& mode) {
        for (const auto& entry : std::filesystem::directory_iterator(folder() / "calc" / mode)) return entry.path();
        return {};
    }

  private:
    TemporaryFolder folder_;
    SimulatedModel model_{folder_.path()};
};

TEST_F(Sizing, OnlineThenOffline) {
    const auto online = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1, 2 ,4", "--num_passes", "2",
                                "--target_users", "50", "--target_workflow_runtime", "5", "--test_gpu_count", "2"});
    ASSERT_EQ(online.exit_code, 0) << online.err;
    EXPECT_THAT(online.out, AllOf(HasSubstr("Per concurrency results:"), HasSubstr("Users = 50")));
    const auto output = parse_json(load_file(job("online") / "calc_runner_output.json").value()).value();
    EXPECT_EQ(output.at("calc_data").as_object().size(), 3u);
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_vs_p95_simple.png"));
    for (const char* leg : {"concurrency_1", "concurrency_2", "concurrency_4"})
        EXPECT_TRUE(std::filesystem::exists(job("online") / leg / "events.jsonl")) << leg;

    const auto offline = sizing(
        {"--offline_mode", "--calc_output_dir", "calc", "--target_users", "50", "--target_workflow_runtime", "5", "--test_gpu_count", "2"});
    EXPECT_EQ(offline.exit_code, 0) << offline.err;
    EXPECT_THAT(offline.out, HasSubstr("Per concurrency results:"));
    EXPECT_TRUE(std::filesystem::exists(job("offline") / "calc_runner_output.json"));
}

TEST_F(Sizing, RepeatsShufflesAndJudges) {
    const auto result = sizing({"--config_file",
                                "eval.yml",
                                "--calc_output_dir",
                                "calc",
                                "--concurrencies",
                                "1,2",
                                "--num_passes",
                                "2",
                                "--reps",
                                "2",
                                "--order",
                                "random",
                                "--seed",
                                "3",
                                "--slo",
                                "p95 workflow < 60s",
                                "--slo",
                                "error_rate < 1%",
                                "--sample_every",
                                "0.1"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("Goodput/s"), HasSubstr("Tokens/s"), HasSubstr("latency"), HasSubstr("0.95^59")));
    const auto output = parse_json(load_file(job("online") / "calc_runner_output.json").value()).value();
    EXPECT_EQ(output.at("calc_data").at("2").at("sizing_metrics").at("per_item_metrics").as_object().size(), 8u);
    const auto& leg = output.at("plimsoll").at("legs").at("2");
    EXPECT_EQ(leg.at("sessions"), 8);
    EXPECT_EQ(leg.at("failed"), 0);
    EXPECT_EQ(leg.at("error_rate").as_double(), 0);
    EXPECT_EQ(leg.at("slo").at("kept"), true);
    EXPECT_EQ(leg.at("slo").at("good_sessions"), 8);
    const auto& statistics = leg.at("statistics");
    EXPECT_EQ(statistics.at("runs"), 2);
    EXPECT_GT(statistics.at("completion_tokens_per_second").as_double(), 0);
    EXPECT_GT(statistics.at("scores").at("latency").to_number<double>(), 0);
    const auto& runtime = statistics.at("workflow_runtime");
    EXPECT_LT(runtime.at("mean_interval_95").at("low").as_double(), runtime.at("mean").as_double());
    EXPECT_LE(runtime.at("p95").as_double(), runtime.at("p95_interval_95").at("high").as_double());
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_2_run_2" / "measurement.json"));
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_2_run_2" / "samples.csv"));

    const auto report = run_program({"report", "--sizing_dir", "calc", "--output", "report.html"}, folder());
    EXPECT_EQ(report.exit_code, 0) << report.err;
}

TEST_F(Sizing, LowConcurrenciesGetAsManySessionsAsAreWanted) {
    ASSERT_EQ(sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,3,8", "--num_passes", "1",
                      "--min_sessions", "5", "--sample_every", "0"})
                  .exit_code,
              0);
    const auto legs =
        parse_json(load_file(job("online") / "calc_runner_output.json").value()).value().at("plimsoll").at("legs").as_object();
    EXPECT_EQ(legs.at("1").at("sessions"), 5);
    EXPECT_EQ(legs.at("3").at("sessions"), 6);  // whole passes
    EXPECT_EQ(legs.at("8").at("sessions"), 8);

    // What the dataset fills is enough where it is more.
    ASSERT_EQ(sizing({"--config_file", "eval.yml", "--calc_output_dir", "filled", "--concurrencies", "1,2", "--min_sessions", "3",
                      "--sample_every", "0"})
                  .exit_code,
              0);
    for (const auto& entry : std::filesystem::directory_iterator(folder() / "filled" / "online"))
        EXPECT_EQ(parse_json(load_file(entry.path() / "calc_runner_output.json").value())
                      .value()
                      .at("plimsoll")
                      .at("legs")
                      .at("1")
                      .at("sessions"),
                  4);
}

TEST_F(Sizing, EveryWatchedProcessAndTheServersPageAreKeptAndDrawn) {
    const std::string watched = std::to_string(::getpid()), heading = "program-test-" + watched;
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "4",
                                "--sample_every", "0.05", "--pid", watched, "--metrics_url", model_url() + "/metrics"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    for (const char* run : {"concurrency_1", "concurrency_2"}) {
        const auto leg = job("online") / run;
        EXPECT_THAT(load_file(leg / "samples.csv").value(), HasSubstr(heading + "_cores")) << run;
        EXPECT_THAT(load_file(leg / "server_metrics.prom").value(), HasSubstr("num_requests_running")) << run;
        EXPECT_THAT(load_file(leg / "machine.svg").value(), HasSubstr(heading)) << run;
        EXPECT_TRUE(std::filesystem::exists(leg / "machine.png")) << run;
    }
    for (const char* name : {"concurrency_vs_p95_simple", "concurrency_vs_p95_analysis", "percentiles_over_users", "throughput_over_users",
                             "scores_over_users"}) {
        EXPECT_THAT(load_file(job("online") / (std::string(name) + ".png")).value(), testing::StartsWith("\x89PNG")) << name;
        EXPECT_THAT(load_file(job("online") / (std::string(name) + ".svg")).value(), testing::StartsWith("<svg")) << name;
    }
    ASSERT_EQ(run_program({"report", "--sizing_dir", "calc", "--output", "report.html"}, folder()).exit_code, 0);
    const auto html = load_file(folder() / "report.html").value();
    EXPECT_THAT(html, AllOf(HasSubstr("The machine at 2 at once"), HasSubstr(heading), HasSubstr("p99"), HasSubstr("latency: ")));
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--pid", "4194999"}).exit_code, 2);
}

TEST_F(Sizing, AForecastPoolsTheRunsOfAJob) {
    ASSERT_EQ(sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "3", "--reps",
                      "2", "--sample_every", "0"})
                  .exit_code,
              0);
    // What kill -9 leaves is the event log alone; a run that was cut before its first session ended costs itself only.
    for (const char* run : {"concurrency_1", "concurrency_2", "concurrency_2_run_2"})
        std::filesystem::remove(job("online") / run / "all_requests_profiler_traces.json");
    std::filesystem::create_directory(job("online") / "concurrency_4");
    const std::vector<std::string> forecast = {"sizing", "forecast", "--runs", "calc", "--users", "4", "--draws", "3", "--json"};
    const auto result = run_program(forecast, folder());
    ASSERT_TRUE(result.exit_code == 0 || result.exit_code == 3) << result.err;
    EXPECT_THAT(result.err, HasSubstr("concurrency_4"));
    const auto levels = parse_json(result.out).value().at("measured_levels").as_array();
    ASSERT_EQ(levels.size(), 2u);
    EXPECT_EQ(levels.at(0).at("sessions"), 2 * (3 - 1));  // each run without a warm-up of its concurrency
    EXPECT_EQ(levels.at(1).at("sessions"), 2 * (6 - 2));

    std::filesystem::remove_all(job("online") / "concurrency_1");
    std::filesystem::remove_all(job("online") / "concurrency_1_run_2");
    std::filesystem::remove_all(job("online") / "concurrency_2");
    std::filesystem::remove_all(job("online") / "concurrency_2_run_2");
    EXPECT_EQ(run_program(forecast, folder()).exit_code, 1);  // nothing is left
}

TEST_F(Sizing, AnInterruptedJobGoesOn) {
    const std::vector<std::string> flags = {"--config_file", "eval.yml", "--concurrencies", "1,2,3", "--num_passes", "1"};
    auto first = flags;
    first.insert(first.end(), {"--calc_output_dir", "calc"});
    ASSERT_EQ(sizing(first).exit_code, 0);
    const auto folder_of = [&](const std::string& leg) { return job("online") / leg / "measurement.json"; };
    const auto kept = load_file(folder_of("concurrency_1")).value();
    std::filesystem::remove(folder_of("concurrency_2"));                     // as if it had been killed in the middle of this run
    ASSERT_TRUE(save_file(folder_of("concurrency_3"), kept.substr(0, 50)));  // and the disk had been full
    auto again = flags;
    again.insert(again.end(), {"--resume", job("online").string()});
    const auto result = sizing(again);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(load_file(folder_of("concurrency_1")).value(), kept);
    EXPECT_TRUE(std::filesystem::exists(folder_of("concurrency_2")));
    const auto output = parse_json(load_file(job("online") / "calc_runner_output.json").value()).value();
    EXPECT_EQ(output.at("calc_data").as_object().size(), 3u);
    EXPECT_EQ(output.at("plimsoll").at("legs").at("3").at("sessions"), 3);

    // A run in which nothing finished is made again, one with some failures when that is asked for.
    const auto fail_sessions = [&](const std::string& leg, std::size_t sessions) {
        auto run = parse_json(load_file(folder_of(leg)).value()).value();
        for (std::size_t i = 0; i < sessions; ++i) run.at("sessions").as_array().at(i).as_object()["failed"] = true;
        ASSERT_TRUE(save_file(folder_of(leg), to_compact_json(run)));
    };
    const auto failed_in = [&](const std::string& leg) {
        return parse_json(load_file(job("online") / "calc_runner_output.json").value())
            .value()
            .at("plimsoll")
            .at("legs")
            .at(leg)
            .at("failed")
            .as_int64();
    };
    fail_sessions("concurrency_2", 2);
    fail_sessions("concurrency_3", 1);
    EXPECT_EQ(sizing(again).exit_code, 1);
    EXPECT_EQ(failed_in("2"), 0);
    EXPECT_EQ(failed_in("3"), 1);
    auto redo = again;
    redo.push_back("--redo_failed");
    EXPECT_EQ(sizing(redo).exit_code, 0);
    EXPECT_EQ(failed_in("3"), 0);

    again[5] = "2";  // other passes measure something else
    EXPECT_EQ(sizing(again).exit_code, 1);
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--resume", "nowhere"}).exit_code, 1);
}

TEST_F(Sizing, ChoosesItsConcurrencies) {
    // One answer at a time takes 0.155 s, so that eight at once break the promise for certain.
    const SimulatedModel narrow(folder(), {"--max_concurrency", "1"});
    ASSERT_TRUE(save_file(folder() / "eval.yml", chat_config(narrow.url())));
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,64", "--num_passes", "1",
                                "--adaptive", "--slo", "p95 workflow < 1s"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto output = parse_json(load_file(job("online") / "calc_runner_output.json").value()).value();
    const auto& legs = output.at("calc_data").as_object();
    EXPECT_TRUE(legs.contains("1") && legs.contains("2"));
    for (const char* needless : {"16", "32", "64"}) EXPECT_FALSE(legs.contains(needless)) << needless;
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--adaptive", "--order", "random"}).exit_code, 2);
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--slo", "p95 workflow > 1s"}).exit_code, 2);
}

TEST_F(Sizing, JobsOfOneSecondHaveFoldersOfTheirOwn) {
    const std::vector<std::string> flags = {"sizing",          "calc", "--config_file", "eval.yml", "--calc_output_dir", "calc",
                                            "--concurrencies", "1,2",  "--num_passes",  "1"};
    std::list<Program> programs;
    for (int i = 0; i < 3; ++i) programs.emplace_back(flags, folder());
    for (Program& program : programs) EXPECT_EQ(program.finish().exit_code, 0);
    int jobs = 0;
    for (const auto& job : std::filesystem::directory_iterator(folder() / "calc" / "online")) {
        ++jobs;
        EXPECT_TRUE(std::filesystem::exists(job.path() / "concurrency_2" / "measurement.json")) << job.path();
    }
    EXPECT_EQ(jobs, 3);
    EXPECT_EQ(sizing({"--config_file", "gone.yml", "--calc_output_dir", "other"}).exit_code, 1);
    EXPECT_TRUE(std::filesystem::is_empty(folder() / "other" / "online"));
}

TEST_F(Sizing, CtrlCKeepsWhatWasMeasured) {
    Program program(
        {"sizing", "calc", "--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "2000"},
        folder());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const auto has_begun = [&] {
        const auto runs = folder() / "calc" / "online";
        return std::filesystem::exists(runs) && load_file(job("online") / "concurrency_1" / "events.jsonl").value_or("").size() > 500;
    };
    while (!has_begun() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    program.send_signal(SIGINT);
    const auto stopped = program.finish();
    EXPECT_EQ(stopped.exit_code, 130);
    EXPECT_THAT(stopped.out, HasSubstr("--resume"));
    const auto run = parse_json(load_file(job("online") / "concurrency_1" / "measurement.json").value()).value();
    EXPECT_EQ(run.at("interrupted"), true);
    EXPECT_LT(run.at("sessions").as_array().size(), 2000u);  // those that were not started are no failures
    for (const auto& session : run.at("sessions").as_array()) EXPECT_EQ(session.at("failed"), false);
}

TEST_F(Sizing, NumbersBelowZeroAreUsageErrors) {
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--concurrencies", "1,2", "--target_users", "-3"}).exit_code, 2);
    EXPECT_EQ(sizing({"--config_file", "eval.yml", "--concurrencies", "1,2", "--target_workflow_runtime", "nan"}).exit_code, 2);
}

TEST_F(Sizing, InfeasibleTargetIsAnAnswer) {
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2,4", "--num_passes", "1",
                                "--target_users", "50", "--target_workflow_runtime", "0.000001", "--test_gpu_count", "1"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(std::filesystem::exists(job("online") / "calc_runner_output.json"));
}

TEST_F(Sizing, FindsItsConfigAndNamesIt) {
    std::filesystem::create_directory(folder() / "configs");
    std::filesystem::rename(folder() / "eval.yml", folder() / "configs" / "eval_config.yml");
    const auto result = sizing({"--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "1"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out + result.err, HasSubstr("configs/eval_config.yml"));
}

TEST_F(Sizing, WrongConcurrenciesAreUsageErrors) {
    for (const char* list : {"0,1", "1", "2,2", "a,b", "-1,2"})
        EXPECT_EQ(sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", list}).exit_code, 2) << list;
    EXPECT_EQ(sizing({"--offline_mode"}).exit_code, 2);
    for (const auto& [flag, value] : {std::pair("--num_passes", "100000000"), std::pair("--concurrencies", "1,2000000000")}) {
        const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", flag, value});
        EXPECT_EQ(result.exit_code, 2) << flag;
        EXPECT_THAT(result.err, HasSubstr("100000 at most"));
    }
}

TEST_F(Sizing, FailingLegsAreKept) {
    ASSERT_TRUE(save_file(folder() / "eval.yml", chat_config("http://127.0.0.1:1/v1", "    num_retries: 1\n")));
    const auto result = sizing({"--config_file", "eval.yml", "--calc_output_dir", "calc", "--concurrencies", "1,2", "--num_passes", "1"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_TRUE(std::filesystem::exists(job("online") / "calc_runner_output.json")) << result.err;
    EXPECT_TRUE(std::filesystem::exists(job("online") / "concurrency_2" / "workflow_output.json"));
}

}  // namespace
}  // namespace plimsoll::test
