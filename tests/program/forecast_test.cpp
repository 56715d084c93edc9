// `plimsoll sizing forecast` on the recorded cases in tests/data: exit codes, the JSON contract, and wrong input.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "program.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class SizingForecast : public testing::Test {
  protected:
    const std::filesystem::path data = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests" / "data" / "forecast_real";

    // Levels 1, 2 and 4 of a real server, forecast for `users`.
    Finished forecast(std::vector<std::string> more) const {
        std::vector<std::string> arguments = {"sizing", "forecast", "--traces"};
        for (const char* c : {"1", "2", "4"})
            arguments.push_back(std::string(c) + "=" + (data / ("c" + std::string(c) + ".json.gz")).string());
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder.path());
    }
    void write(const std::string& name, const std::string& text) const { ASSERT_TRUE(save_file(folder.path() / name, text)); }

    TemporaryFolder folder;
};

TEST_F(SizingForecast, PrintsOneJsonObject) {
    const auto result = forecast({"--limits", (data / "limits.yml").string(), "--users", "8,16", "--draws", "5", "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto out = parse_json(result.out).value();
    ASSERT_EQ(find(out, "forecasts")->as_array().size(), 2u);
    EXPECT_EQ(find(*find(out, "holdout"), "concurrency")->to_number<int>(), 4);
    EXPECT_FALSE(out.as_object().contains("refused"));
}

TEST_F(SizingForecast, PrintsATableForPeople) {
    const auto result =
        forecast({"--limits", (data / "limits.yml").string(), "--users", "8", "--slo", "p95 workflow < 60s", "--draws", "5"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("Bottleneck: model smollm2"));
    EXPECT_THAT(result.out, HasSubstr("100 %"));
}

TEST_F(SizingForecast, ARefusalExitsWithThreeAndStillPrintsTheObject) {
    const std::string one = "1=" + (data / "c1.json.gz").string();
    const auto result = run_program({"sizing", "forecast", "--traces", one, "--users", "50", "--json"}, folder.path());
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_TRUE(parse_json(result.out).value().as_object().contains("refused"));
}

TEST_F(SizingForecast, ATypoInTheLimitsIsNamedWithItsPlace) {
    write("limits.yml", "smollm2:\n  max_num_seq: 8\nsmolm2:\n  replicas: 1\n");
    const auto result = forecast({"--limits", "limits.yml", "--users", "8"});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("limits.yml:2"));
    EXPECT_THAT(result.err, HasSubstr("\"max_num_seqs\""));
    EXPECT_THAT(result.err, HasSubstr("\"smollm2\""));
}

TEST_F(SizingForecast, WrongLimitValuesAreAllReported) {
    write("limits.yml",
          "smollm2:\n  replicas: 0\n  routing: best\n  kv_tokens: many\n  chunked_prefill: 3\n  gpus_per_replica: 0\nsearch:\n  servers: "
          "-1\n");
    const auto result = forecast({"--limits", "limits.yml", "--users", "8"});
    EXPECT_EQ(result.exit_code, 2);
    for (const char* line : {":2:", ":3:", ":4:", ":5:", ":6:", ":8:"})
        EXPECT_THAT(result.err, HasSubstr(std::string("limits.yml") + line));
}

TEST_F(SizingForecast, WrongArgumentsAreUsageErrors) {
    EXPECT_EQ(forecast({"--users", "8,x"}).exit_code, 2);
    EXPECT_EQ(forecast({}).exit_code, 2);
    EXPECT_EQ(forecast({"--users", "8", "--slo", "fast"}).exit_code, 2);
    EXPECT_EQ(forecast({"--users", "8", "--without", "no_such_step"}).exit_code, 2);
    EXPECT_EQ(run_program({"sizing", "forecast", "--users", "8"}, folder.path()).exit_code, 2);
    EXPECT_EQ(run_program({"sizing", "forecast", "--traces", "abc=x.json", "--users", "8"}, folder.path()).exit_code, 2);
    EXPECT_EQ(run_program({"sizing", "forecast", "--traces", "1=none.json", "2=none.json", "--users", "8"}, folder.path()).exit_code, 1);
}

TEST_F(SizingForecast, WritesItsNumbersAndPicturesAndTheyFitIntoAPage) {
    const auto result = forecast({"--users", "8,16", "--slo", "p95 workflow < 60s", "--draws", "3", "--output_dir", "forecast", "--report",
                                  "alone.html", "--limits", (data / "limits.yml").string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto folder_of = folder.path() / "forecast";
    for (const char* name : {"forecast_over_users", "forecast_throughput", "predicted_vs_measured", "replicas_over_slo"}) {
        EXPECT_THAT(load_file(folder_of / (std::string(name) + ".png")).value(), testing::StartsWith("\x89PNG")) << name;
        EXPECT_THAT(load_file(folder_of / (std::string(name) + ".svg")).value(), testing::StartsWith("<svg")) << name;
    }
    const auto json = parse_json(load_file(folder_of / "forecast.json").value()).value();
    EXPECT_EQ(json.at("slo").at("seconds").as_double(), 60);
    EXPECT_EQ(json.at("measured_levels").as_array().size(), 3u);
    EXPECT_TRUE(json.at("forecasts").at(0).at("gpus_needed").is_null());
    ASSERT_EQ(run_program({"report", "--forecast_dir", "forecast", "-o", "page.html"}, folder.path()).exit_code, 0);
    for (const char* page : {"forecast/report.html", "alone.html", "page.html"}) {
        const auto html = load_file(folder.path() / page).value();
        EXPECT_THAT(html, AllOf(HasSubstr("Replicas against the target, 16 users"), HasSubstr("held out"))) << page;
    }
    EXPECT_EQ(run_program({"report", "--forecast_dir", "nowhere"}, folder.path()).exit_code, 1);
    write("forecast/forecast.json", "{}");
    EXPECT_EQ(run_program({"report", "--forecast_dir", "forecast"}, folder.path()).exit_code, 1);
    write("forecast/forecast.json", "[1, 2");
    EXPECT_EQ(run_program({"report", "--forecast_dir", "forecast"}, folder.path()).exit_code, 1);
}

TEST_F(SizingForecast, ReadsTheFoldersOfASizingRun) {
    for (const char* c : {"1", "2"}) {
        const auto text = load_file(data / ("c" + std::string(c) + ".json.gz"));
        write("out/online/job_1/concurrency_" + std::string(c) + "/all_requests_profiler_traces.json.gz", *text);
    }
    const auto result = run_program(
        {"sizing", "forecast", "--runs", "out", "--limits", (data / "limits.yml").string(), "--users", "4", "--draws", "3"}, folder.path());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(run_program({"sizing", "forecast", "--runs", "nowhere", "--users", "4"}, folder.path()).exit_code, 1);
}

}  // namespace
}  // namespace plimsoll::test
