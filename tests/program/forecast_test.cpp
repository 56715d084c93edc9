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
    write("limits.yml", "smollm2:\n  replicas: 0\n  routing: best\n  kv_tokens: many\n  chunked_prefill: 3\nsearch:\n  servers: -1\n");
    const auto result = forecast({"--limits", "limits.yml", "--users", "8"});
    EXPECT_EQ(result.exit_code, 2);
    for (const char* line : {":2:", ":3:", ":4:", ":5:", ":7:"}) EXPECT_THAT(result.err, HasSubstr(std::string("limits.yml") + line));
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
