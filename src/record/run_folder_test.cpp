#include "record/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "base/files.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class RunFolder : public testing::Test {
  protected:
    void make(std::initializer_list<const char*> files) {
        for (const char* file : files) ASSERT_TRUE(save_file(folder_.path() / file, "x"));
    }
    fs::path path(const std::string& name) const { return folder_.path() / name; }

    // Relative to the folder, for short expectations.
    std::vector<std::string> runs(const std::string& input) const {
        const auto found = find_runs(input.empty() ? folder_.path() : path(input));
        std::vector<std::string> out;
        if (!found) return {std::string(to_string(found.error().code))};
        for (const fs::path& run : *found) out.push_back(run.lexically_relative(folder_.path()));
        return out;
    }
    std::string config(const std::string& file) const {
        const auto found = find_run_config(path(file));
        return found ? found->lexically_relative(fs::absolute(folder_.path())).string() : "";
    }

  private:
    TemporaryFolder folder_;
};

using testing::ElementsAre;

TEST_F(RunFolder, ARunOrAFileIsItself) {
    make({"run/workflow_output.json.gz", "run/traces.json", "run/online/job_1/concurrency_1/events.jsonl"});
    EXPECT_THAT(runs("run"), ElementsAre("run"));
    EXPECT_THAT(runs("run/traces.json"), ElementsAre("run/traces.json"));
    EXPECT_THAT(runs("absent"), ElementsAre("absent"));
    EXPECT_THAT(find_run_files(path("run")), ElementsAre(path("run/workflow_output.json.gz")));
}

TEST_F(RunFolder, ACaseHoldsItsRunInOut) {
    make({"case/config.yml", "case/dataset.json", "case/out/all_requests_profiler_traces.json"});
    EXPECT_THAT(runs("case"), ElementsAre("case/out"));
    EXPECT_EQ(config("case/out/all_requests_profiler_traces.json"), "case/config.yml");
    make({"case/out/config_original.yml"});
    EXPECT_EQ(config("case/out/all_requests_profiler_traces.json"), "case/out/config_original.yml");
    make({"case/out/config_effective.yml"});
    EXPECT_EQ(config("case/out/all_requests_profiler_traces.json"), "case/out/config_effective.yml");
    // A config in a folder of another name says nothing of what lies below it.
    make({"other/config.yml", "other/run/events.jsonl"});
    EXPECT_EQ(config("other/run/events.jsonl"), "");
}

TEST_F(RunFolder, ASizingRunIsItsNewestJobsLegsByNumber) {
    for (const char* job : {"job_1", "job_2"})
        for (const char* leg : {"concurrency_16", "concurrency_8_run_2", "concurrency_8"})
            ASSERT_TRUE(save_file(path("sizing/online") / job / leg / "events.jsonl", "x"));
    make({"sizing/online/job_2/calc_runner_output.json", "sizing/online/job_2/concurrency_4/notes.txt"});
    fs::last_write_time(path("sizing/online/job_1"), fs::file_time_type::clock::now() - 1h);
    EXPECT_THAT(runs("sizing"), ElementsAre("sizing/online/job_2/concurrency_8", "sizing/online/job_2/concurrency_8_run_2",
                                            "sizing/online/job_2/concurrency_16"));
    EXPECT_EQ(runs("sizing/online/job_1").size(), 3u);
    EXPECT_EQ(runs("sizing/online/job_1").front(), "sizing/online/job_1/concurrency_8");
}

TEST_F(RunFolder, AFolderOfTraceFilesIsAllOfThem) {
    make({"otlp/b.jsonl.zst", "otlp/a.pb", "otlp/notes.txt", "otlp/config.yml"});
    EXPECT_THAT(runs("otlp"), ElementsAre("otlp/a.pb", "otlp/b.jsonl.zst"));
    make({"empty/notes.txt"});
    EXPECT_THAT(runs("empty"), ElementsAre("not_found"));
}

}  // namespace
}  // namespace plimsoll::record
