// What `plimsoll eval` does with the folder it writes to: the user's files stay, an earlier run's go or are told apart.
#include <gmock/gmock.h>

#include "configs.h"
#include "fixture.h"

namespace plimsoll::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class EvalFolder : public FolderTest {
  protected:
    void SetUp() override {
        write("eval.yml", chat_config(model_.url()));
        write("dataset.json", many_questions(2));
    }

    SimulatedModel model_{folder()};
};

TEST_F(EvalFolder, TheUsersFilesStayAndAreNamed) {
    ASSERT_EQ(eval().exit_code, 0);
    write("out/notes.md", "mine");
    write("out/sub/report.html", "mine too");
    write("out/latency_output.json.bak", "and mine");
    const std::string first = read("out/events.jsonl");
    const auto again = eval();
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(read("out/notes.md"), "mine");
    EXPECT_EQ(read("out/sub/report.html"), "mine too");
    EXPECT_TRUE(exists("out/latency_output.json.bak"));
    EXPECT_NE(read("out/events.jsonl"), first);
    EXPECT_THAT(again.err, AllOf(HasSubstr("notes.md"), HasSubstr("sub"), Not(HasSubstr("gantt"))));
}

TEST_F(EvalFolder, TheWorkingFolderIsAnOutputFolderLikeAnyOther) {
    const std::vector<std::string> here = {"--override", "eval.general.output_dir", "."};
    for (int i = 0; i < 2; ++i) {
        const auto result = eval(here);
        ASSERT_EQ(result.exit_code, 0) << result.err;
    }
    EXPECT_TRUE(exists("eval.yml") && exists("dataset.json") && exists("workflow_output.json"));
}

TEST_F(EvalFolder, FilesThatOnlyTheEarlierRunNamedGo) {
    ASSERT_EQ(eval().exit_code, 0);
    ASSERT_TRUE(exists("out/latency_output.json") && exists("out/gantt_chart.png"));
    std::string config = read("eval.yml");
    config.replace(config.find("    latency:"), 12, "    speed:");
    config.replace(config.find("enable_nested_stack: true"), 25, "enable_nested_stack: false");
    write("eval.yml", config);
    ASSERT_EQ(eval().exit_code, 0);
    EXPECT_TRUE(exists("out/speed_output.json"));
    EXPECT_FALSE(exists("out/latency_output.json"));
    EXPECT_FALSE(exists("out/gantt_chart.png"));
}

TEST_F(EvalFolder, CleanupCanBeTurnedOff) {
    std::string config = read("eval.yml");
    const std::string dir = "output_dir: out\n";
    config.replace(config.find(dir), dir.size(), "output:\n      dir: out\n      cleanup: false\n");
    write("eval.yml", config);
    ASSERT_EQ(eval().exit_code, 0);
    std::filesystem::rename(folder() / "out/latency_output.json", folder() / "out/workflow_output_atif.json");
    ASSERT_EQ(eval().exit_code, 0);
    EXPECT_TRUE(exists("out/workflow_output_atif.json")) << "an artefact that this run does not write";
    EXPECT_TRUE(exists("out/latency_output.json"));
}

TEST_F(EvalFolder, AnInputIsNotRemovedWhateverItsName) {
    ASSERT_EQ(eval().exit_code, 0);
    const auto again = run_program(
        {"eval", "--config_file", "out/config_original.yml", "--dataset", "out/workflow_output.json", "--skip_completed_entries"},
        folder());
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(read_json("out/workflow_output.json").as_array().size(), 2u);
}

TEST_F(EvalFolder, ARunThatCannotStartCostsNothing) {
    ASSERT_EQ(eval().exit_code, 0);
    const std::string log = read("out/events.jsonl");
    struct Case {
        std::vector<std::string> flags;
        int exit_code;
    };
    for (const auto& [flags, exit_code] :
         {Case{{"--endpoint", "127.0.0.1:1"}, 2}, Case{{"--endpoint", "http://"}, 2},
          Case{{"--endpoint", "http://127.0.0.1:1", "--endpoint_timeout", "-5"}, 2},
          Case{{"--endpoint", "http://127.0.0.1:1", "--endpoint_timeout", "0"}, 2}, Case{{"--endpoint", "http://127.0.0.1:1"}, 1},
          Case{{"--reps", "1000000000"}, 2}, Case{{"--dataset", "none.json"}, 1}}) {
        const auto result = eval(flags);
        EXPECT_EQ(result.exit_code, exit_code) << testing::PrintToString(flags);
        EXPECT_FALSE(result.err.empty());
        EXPECT_EQ(read("out/events.jsonl"), log);
    }
}

class Resume : public EvalFolder {
  protected:
    Finished resume(const std::vector<std::string>& more = {}) {
        std::vector<std::string> arguments = {"eval", "--resume", "out"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_program(arguments, folder());
    }
    // As if the run had been killed after its first session.
    void cut_log() {
        const std::string log = read("out/events.jsonl");
        write("out/events.jsonl", log.substr(0, log.find('\n', log.find("\"t\":\"end\"")) + 1));
    }
};

TEST_F(Resume, NeedsNothingButTheFolder) {
    ASSERT_EQ(eval({"--reps", "3", "--override", "llms.model.max_tokens", "7", "--dataset", "dataset.json"}).exit_code, 0);
    const std::string metadata = read("out/config_metadata.json");
    cut_log();
    const auto result = resume();
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(read_json("out/workflow_output.json").as_array().size(), 6u);
    EXPECT_EQ(read("out/config_metadata.json"), metadata);
    EXPECT_THAT(result.out, HasSubstr("done 6 running 0 failed 0 of 6"));
}

TEST_F(Resume, IsForRunsOfTheSameSessionsOnly) {
    ASSERT_EQ(eval().exit_code, 0);
    cut_log();
    EXPECT_EQ(resume({"--override", "eval.general.max_concurrency", "1", "--override", "llms.model.api_key", "renewed"}).exit_code, 0);
    for (const char* model : {"other", "simulated"}) {
        const auto result = resume({"--override", "llms.model.model_name", model});
        EXPECT_EQ(result.exit_code == 0, std::string(model) == "simulated") << result.err;
    }
    Program server({"serve", "--config_file", "eval.yml", "--port", "0"}, folder());
    const std::string line = server.wait_for_line("listening on ");
    const auto elsewhere = resume({"--endpoint", line.substr(line.find("http://"))});
    EXPECT_EQ(elsewhere.exit_code, 1);
    EXPECT_THAT(elsewhere.err, HasSubstr("another configuration"));
}

TEST_F(Resume, AsksForSecretsAgain) {
    ASSERT_EQ(eval({"--override", "llms.model.api_key", "very-secret"}).exit_code, 0);
    const auto result = resume();
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr("llms.model.api_key"));
    EXPECT_EQ(resume({"--override", "llms.model.api_key", "very-secret"}).exit_code, 0);
}

TEST_F(Resume, AFolderThatIsNotThereIsAnErrorAndStaysAway) {
    for (const auto& result : {resume(), eval({"--resume", "out"})}) {
        EXPECT_EQ(result.exit_code, 1);
        EXPECT_THAT(result.err, HasSubstr("out"));
        EXPECT_FALSE(exists("out"));
    }
    std::filesystem::create_directory(folder() / "out");
    EXPECT_EQ(resume().exit_code, 1);
    EXPECT_EQ(eval({"--resume", "out"}).exit_code, 0);
    EXPECT_EQ(run_program({"eval"}, folder()).exit_code, 2);
}

TEST_F(Resume, AScoredDatasetHasNothingToResume) {
    ASSERT_EQ(eval({"--skip_workflow"}).exit_code, 0);
    EXPECT_EQ(resume().exit_code, 2);
}

TEST_F(EvalFolder, ScoringAgainTellsTheEarlierRawDataApart) {
    ASSERT_EQ(eval().exit_code, 0);
    const std::string log = read("out/events.jsonl");
    const auto scored = eval({"--skip_workflow", "--dataset", "out/workflow_output.json", "--override",
                              "eval.general.profiler.bottleneck_analysis.enable_nested_stack", "false"});
    ASSERT_EQ(scored.exit_code, 0) << scored.err;
    EXPECT_FALSE(exists("out/events.jsonl"));
    EXPECT_EQ(read("out/events.earlier.jsonl"), log);
    EXPECT_FALSE(exists("out/gantt_chart.png"));
    const auto profile = run_program({"profile", "out", "--output_dir", "profile"}, folder());
    EXPECT_THAT(profile.out, HasSubstr("all_requests_profiler_traces.json: ")) << profile.err;

    ASSERT_EQ(eval().exit_code, 0);
    EXPECT_FALSE(exists("out/events.earlier.jsonl"));
}

}  // namespace
}  // namespace plimsoll::test
