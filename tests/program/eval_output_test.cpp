// What `eval.general` says about a run besides its dataset: users, names, job folders, scripts, ATIF, models asked first.
#include <gmock/gmock.h>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;

class EvalOutput : public FolderTest {
  protected:
    void SetUp() override { write("dataset.json", many_questions(2)); }
    // The usual config with these lines under eval.general, instead of output_dir.
    void configure(const std::string& general, const std::string& url) {
        std::string config = chat_config(url);
        const std::string dir = "    output_dir: out\n";
        config.replace(config.find(dir), dir.size(), general);
        write("eval.yml", config);
    }

    SimulatedModel model_{folder()};
};

TEST_F(EvalOutput, AtifIsWrittenAndNamed) {
    configure("    output:\n      dir: out\n      write_atif_workflow_output: true\n", model_.url());
    const auto result = eval();
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr("COMPLETED (workflow_output.json, workflow_output_atif.json)"));
    EXPECT_EQ(read_json("out/workflow_output_atif.json").at(1).at("trajectory").at("final_metrics").at("total_steps"), 2);
}

TEST_F(EvalOutput, JobsAreEvicted) {
    configure("    output:\n      dir: out\n      job_management: {append_job_id_to_output_dir: true, max_jobs: 2}\n", model_.url());
    write("out/jobs/notes.txt", "mine");
    std::vector<std::filesystem::path> seen;  // in order of their making
    for (int run = 0; run < 3; ++run) {
        ASSERT_EQ(eval().exit_code, 0);
        for (const auto& entry : std::filesystem::directory_iterator(folder() / "out" / "jobs"))
            if (entry.is_directory() && std::ranges::find(seen, entry.path()) == seen.end()) seen.push_back(entry.path());
    }
    ASSERT_EQ(seen.size(), 3u);
    EXPECT_FALSE(std::filesystem::exists(seen[0]));
    EXPECT_TRUE(std::filesystem::exists(seen[1]) && std::filesystem::exists(seen[2]));
    EXPECT_TRUE(exists("out/jobs/notes.txt"));
}

TEST_F(EvalOutput, ScriptsLookAtTheCompleteFolder) {
    write("look.py", "import os, sys\nprint('script', sys.argv[3:], os.path.exists(sys.argv[2] + '/latency_output.json'))\n");
    write("bad.py", "import sys\nsys.exit(3)\n");
    const std::string scripts =
        "    output:\n      dir: out\n      custom_scripts:\n        gone: {script: gone.py}\n"
        "        look: {script: look.py, kwargs: {depth: 3}}\n";
    configure(scripts, model_.url());
    const auto good = eval();
    ASSERT_EQ(good.exit_code, 0) << good.err;
    EXPECT_THAT(good.out, HasSubstr("script ['--depth', '3'] True"));
    EXPECT_THAT(good.err, HasSubstr("gone.py"));
    configure(scripts + "        bad: {script: bad.py}\n", model_.url());
    const auto bad = eval();
    EXPECT_EQ(bad.exit_code, 1);
    EXPECT_THAT(bad.err, HasSubstr("custom script bad ended with exit code 3"));
    EXPECT_TRUE(exists("out/workflow_output.json"));
    configure("    output:\n      custom_scripts:\n        look: look.py\n", model_.url());
    EXPECT_EQ(run_program({"validate", "--config_file", "eval.yml"}, folder()).exit_code, 1);
}

TEST_F(EvalOutput, ModelsAreAskedFirst) {
    write("unknown.json", R"([{"match": "", "fault": "500"}])");
    const SimulatedModel failing(folder(), {"--script", "unknown.json"});
    configure("    output_dir: out\n    validate_llm_endpoints: true\n", failing.url());
    const auto busy = eval({"--override", "llms.model.num_retries", "1"});
    EXPECT_THAT(busy.err, HasSubstr("warning: validate_llm_endpoints: llms.model"));
    EXPECT_TRUE(exists("out/workflow_output.json"));
    std::filesystem::remove_all(folder() / "out");
    configure("    output_dir: out\n    validate_llm_endpoints: true\n", failing.url() + "/nowhere");
    const auto missing = eval();
    EXPECT_EQ(missing.exit_code, 1);
    EXPECT_THAT(missing.err, HasSubstr("404"));
    EXPECT_FALSE(exists("out/workflow_output.json"));
}

TEST_F(EvalOutput, TheWorkflowHasTheNameItIsGiven) {
    configure("    output_dir: out\n    workflow_alias: my name\n", model_.url());
    const auto result = eval();
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(read("out/all_requests_profiler_traces.json"), HasSubstr("\"display_name\": \"my name\""));
}

}  // namespace
}  // namespace plimsoll::test
