// `plimsoll profile` on recorded files: what it writes, what it says of damage, and one error for what cannot be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "program.h"

namespace plimsoll::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const fs::path kTests = fs::path(PLIMSOLL_SOURCE_DIR) / "tests";
const fs::path kNatRun = kTests / "goldens/nat/research_8_c1/out";

class Profile : public testing::Test {
  protected:
    fs::path folder() const { return folder_.path(); }
    Finished profile(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "profile");
        arguments.insert(arguments.end(), {"--output_dir", "out"});
        return run_program(arguments, folder());
    }
    std::string output(const std::string& name) { return load_file(folder() / "out" / name).value_or(""); }
    std::set<std::string> output_names() {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder() / "out")) names.insert(entry.path().filename());
        return names;
    }

  private:
    TemporaryFolder folder_;
};

TEST_F(Profile, RunFolderGivesEveryArtefact) {
    const auto result = profile({kNatRun});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("Sessions: 8 "), HasSubstr("LLM fake-8b"), Not(HasSubstr("Skipped or"))));
    EXPECT_THAT(output_names(),
                testing::IsSupersetOf({"all_requests_profiler_traces.json", "gantt_chart.png", "inference_optimization.json",
                                       "profile.json", "report.html", "standardized_data_all.csv", "workflow_profiling_metrics.json",
                                       "workflow_profiling_report.txt"}));
    EXPECT_TRUE(parse_json(output("all_requests_profiler_traces.json")).value() ==
                parse_json(load_file(kNatRun / "all_requests_profiler_traces.json").value()).value());
}

TEST_F(Profile, SeveralInputsAreOneSet) {
    const auto result = profile({kNatRun, kTests / "data/otlp/genai.json", kTests / "data/otlp/openinference.jsonl",
                                 kTests / "goldens/otlp/toolagent_stream_llm_span.bin"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("Sessions: 14 "), HasSubstr("1 x repeated span")));
    const auto traces = parse_json(output("all_requests_profiler_traces.json"));
    ASSERT_TRUE(traces);
    for (std::size_t i = 0; i < 14; ++i) EXPECT_EQ(traces->as_array().at(i).at("request_number"), static_cast<std::int64_t>(i));
}

TEST_F(Profile, OfTheConfigOnlyTheProfilersSectionIsRead) {
    ASSERT_TRUE(save_file(folder() / "eval.yml",
                          "llms:\n  m: {_type: exotic}\nworkflow:\n  _type: my_plugin_agent\n  llm_name: nobody\n  tool_names: [ghost]\n"
                          "eval:\n  evaluators:\n    q: {_type: unheard_of}\n  general:\n    profiler:\n      csv_exclude_io_text: true\n"
                          "      bottleneck_analysis: {enable_simple_stack: true}\n"));
    const auto result = profile({kTests / "data/otlp/nat_two_runs.json", "--config-file", "eval.yml", "--strict", "--nat-compat"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_THAT(output("workflow_profiling_metrics.json"), HasSubstr("simple_stack_analysis"));
    EXPECT_THAT(output("standardized_data_all.csv"), Not(HasSubstr("llm_text_input")));
    EXPECT_FALSE(output_names().contains("gantt_chart.png"));
    EXPECT_EQ(profile({kNatRun, "--config_file", "eval.yml", "--all"}).exit_code, 2);
    EXPECT_EQ(profile({kNatRun, "--config_file", "absent.yml"}).exit_code, 1);
    EXPECT_EQ(profile({kNatRun, "--all"}).exit_code, 0);
}

TEST_F(Profile, RunsItsOwnConfigsAnalysesUnlessTold) {
    const auto has_section = [&](const char* name) { return output("workflow_profiling_metrics.json").contains(name); };
    const auto own = profile({kNatRun.parent_path()});
    EXPECT_EQ(own.exit_code, 0) << own.err;
    EXPECT_EQ(own.err, "");
    EXPECT_THAT(own.out, HasSubstr("Analyses as in " + (kNatRun.parent_path() / "config.yml").string()));
    EXPECT_TRUE(output_names().contains("prediction_trie.json"));
    EXPECT_FALSE(has_section("simple_stack_analysis"));
    const auto all = profile({kNatRun, "--all"});
    EXPECT_THAT(all.out, Not(HasSubstr("Analyses as in")));
    EXPECT_TRUE(has_section("simple_stack_analysis"));
    // The effective config of a run wins over the original one.
    ASSERT_TRUE(make_folder(folder() / "run"));
    fs::copy(kNatRun / "all_requests_profiler_traces.json", folder() / "run");
    ASSERT_TRUE(save_file(folder() / "run/config_original.yml", "eval: {general: {profiler: {nonsense: [}}}"));
    ASSERT_TRUE(save_file(folder() / "run/config_effective.yml", "eval: {general: {profiler: {prefix_span_analysis: {enable: true}}}}"));
    EXPECT_EQ(profile({"run/all_requests_profiler_traces.json"}).exit_code, 0);
    EXPECT_TRUE(has_section("prefix_span_analysis"));
    EXPECT_FALSE(has_section("nested_stack_analysis"));
}

TEST_F(Profile, FolderOfTraceFilesAndOfSizingLegs) {
    ASSERT_TRUE(make_folder(folder() / "spans"));
    for (const char* name : {"genai.json", "openinference.jsonl"}) fs::copy(kTests / "data/otlp" / name, folder() / "spans");
    ASSERT_TRUE(save_file(folder() / "spans/dataset.json", "[{\"question\": 1}]"));
    const auto spans = profile({"spans"});
    EXPECT_EQ(spans.exit_code, 0) << spans.err;
    EXPECT_THAT(spans.out, AllOf(HasSubstr("Sessions: 5 "), HasSubstr("1 x file left out (spans/dataset.json: no session")));
    for (const char* leg : {"concurrency_1", "concurrency_2"}) {
        ASSERT_TRUE(make_folder(folder() / "sizing/online/job_1" / leg));
        fs::copy(kNatRun / "all_requests_profiler_traces.json", folder() / "sizing/online/job_1" / leg);
    }
    const auto legs = profile({"sizing"});
    EXPECT_EQ(legs.exit_code, 0) << legs.err;
    EXPECT_THAT(legs.out, AllOf(HasSubstr("Sessions: 16 "), HasSubstr("concurrency_2/all_requests")));
    fs::remove_all(folder() / "spans");
    ASSERT_TRUE(save_file(folder() / "spans/a.json", "{}"));
    ASSERT_TRUE(save_file(folder() / "spans/b.json", "{}"));
    EXPECT_EQ(profile({"spans"}).exit_code, 1);
}

TEST_F(Profile, DamageIsCountedAndPrinted) {
    std::string text = load_file(kNatRun / "all_requests_profiler_traces.json").value();
    text.resize(text.size() * 3 / 4);
    text.replace(text.size() / 3, 4, "\x01\"{{");
    ASSERT_TRUE(save_file(folder() / "cut.json", text));
    const auto result = profile({"cut.json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out,
                AllOf(HasSubstr("Skipped or incomplete:"), HasSubstr("damaged JSON (cut.json: byte "), HasSubstr("the file ends early")));
    const auto own = parse_json(output("profile.json"));
    ASSERT_TRUE(own);
    EXPECT_GE(own->at("sessions").as_int64(), 4);
    EXPECT_EQ(own->at("skipped").as_array().size(), 2u);
    EXPECT_THAT(output("report.html"), AllOf(HasSubstr("What could not be read"), HasSubstr("damaged JSON")));
}

TEST_F(Profile, OneErrorForWhatCannotBeRead) {
    ASSERT_TRUE(save_file(folder() / "empty.json", ""));
    ASSERT_TRUE(save_file(folder() / "words.txt", "nothing of the kind"));
    ASSERT_TRUE(make_folder(folder() / "nothing"));
    for (const char* input : {"absent.json", "empty.json", "words.txt", "nothing"}) {
        const auto result = profile({kNatRun, input});
        EXPECT_EQ(result.exit_code, 1) << input;
        EXPECT_THAT(result.err, HasSubstr(input));
        EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
        EXPECT_FALSE(fs::exists(folder() / "out")) << input;
    }
    EXPECT_EQ(profile({}).exit_code, 2);
    EXPECT_EQ(run_program({"profile", kNatRun}, folder()).exit_code, 2);
}

TEST_F(Profile, OneErrorForWhatCannotBeWritten) {
    ASSERT_TRUE(save_file(folder() / "out", "a file"));
    const auto taken = profile({kNatRun});
    EXPECT_EQ(taken.exit_code, 1);
    EXPECT_EQ(std::ranges::count(taken.err, '\n'), 1) << taken.err;
    fs::remove(folder() / "out");
    constexpr int kBlocks = 40;
    const auto full = Program({"profile", kNatRun, "--output_dir", "out"}, folder(), {}, kBlocks).finish();
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_THAT(full.err, HasSubstr("all_requests_profiler_traces.json"));
    EXPECT_EQ(std::ranges::count(full.err, '\n'), 1) << full.err;
    EXPECT_FALSE(fs::exists(folder() / "out/all_requests_profiler_traces.json"));
}

TEST_F(Profile, ItsOwnInputIsNotOverwritten) {
    ASSERT_TRUE(make_folder(folder() / "out"));
    fs::copy(kNatRun / "all_requests_profiler_traces.json", folder() / "out");
    const auto result = profile({"out"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("--output_dir"));
    EXPECT_EQ(output_names().size(), 1u);
    // The answers of a run hold fewer steps than its traces.
    fs::copy(kNatRun / "all_requests_profiler_traces.json", folder() / "out/workflow_output.json");
    EXPECT_EQ(profile({"out/workflow_output.json"}).exit_code, 1);
    EXPECT_EQ(output_names().size(), 2u);
    fs::remove(folder() / "out/all_requests_profiler_traces.json");
    EXPECT_EQ(profile({"out/workflow_output.json"}).exit_code, 0);
}

TEST_F(Profile, SessionThatIsNotThereIsSaid) {
    EXPECT_EQ(profile({kNatRun, "--session", "7"}).exit_code, 0);
    const auto result = profile({kNatRun, "--session", "8"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("--session 8"));
    EXPECT_EQ(profile({kNatRun, "--session", "-1"}).exit_code, 2);
    const auto words = profile({kNatRun, "--session", "abc"});
    EXPECT_EQ(words.exit_code, 2);
    EXPECT_THAT(words.err, HasSubstr("\"abc\" is no number of at least 0"));
    EXPECT_EQ(run_program({"report", "--eval_dir", kNatRun, "--session", "8"}, folder()).exit_code, 1);
}

TEST_F(Profile, StandardInputIsAnInput) {
    const auto result = Program({"profile", "-", "--output_dir", "out"}, folder(), {}, 0, kTests / "data/otlp/nat_two_runs.json").finish();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("OTLP JSON"), HasSubstr("Sessions: 2 ")));
}

TEST_F(Profile, ASingleStartHasAGanttChart) {
    ASSERT_TRUE(save_file(folder() / "one.json",
                          R"([{"request_number": 0, "intermediate_steps": [{"parent_id": "root", "payload":
                              {"event_type": "LLM_START", "event_timestamp": 1.0, "name": "m", "UUID": "a"}}]}])"));
    for (const char* mode : {"--nat_compat", "--all"}) {
        fs::remove_all(folder() / "out");
        const auto result = profile({"one.json", mode});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        EXPECT_TRUE(output("gantt_chart.png").starts_with("\x89PNG"));
    }
}

TEST_F(Profile, RunWithoutItemsIsNoError) {
    ASSERT_TRUE(save_file(folder() / "none.json", "[]"));
    for (const char* mode : {"--nat_compat", "--all"}) {
        const auto result = profile({"none.json", mode});
        EXPECT_EQ(result.exit_code, 0) << result.err;
        EXPECT_EQ(output("standardized_data_all.csv"), "\n");
        EXPECT_TRUE(output_names().contains("report.html"));
    }
    const auto summary = parse_json(output("inference_optimization.json"));
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->at_pointer("/confidence_intervals/workflow_run_time_confidence_intervals/n"), 0);
}

TEST_F(Profile, TrieNeverLeavesTheFolder) {
    ASSERT_TRUE(save_file(folder() / "eval.yml",
                          "eval:\n  general:\n    profiler:\n      prediction_trie:\n        enable: true\n"
                          "        output_filename: ../escape.json\n"));
    const auto result = profile({kNatRun, "--config_file", "eval.yml"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("eval.yml:6:26: eval.general.profiler.prediction_trie.output_filename: must be a file name"));
    EXPECT_FALSE(fs::exists(folder() / "escape.json"));
}

}  // namespace
}  // namespace plimsoll::test
