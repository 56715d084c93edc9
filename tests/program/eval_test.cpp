// `plimsoll eval` and `plimsoll run` as a user meets them, on the simulated model over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "base/files.h"
#include "base/json.h"
#include "configs.h"
#include "program.h"

namespace plimsoll::test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class Eval : public testing::Test {
  protected:
    std::filesystem::path folder() const { return folder_.path(); }
    void write(const std::string& name, const std::string& text) { ASSERT_TRUE(save_file(folder() / name, text)); }
    json::value read_json(const std::filesystem::path& file) { return parse_json(load_file(folder() / file).value()).value(); }

  private:
    TemporaryFolder folder_;
};

// Some sessions have ended.
void wait_for_progress(Program& program) {
    std::string line;
    do line = program.wait_for_line("done ");
    while (line.starts_with("done 0 "));
    ASSERT_FALSE(line.empty());
}

TEST_F(Eval, WritesEveryArtefact) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(8));
    const auto result = run_program({"eval", "--config_file", "eval.yml"}, folder());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, AllOf(HasSubstr("=== EVALUATION SUMMARY ==="), HasSubstr("COMPLETED"), HasSubstr("latency_output.json")));
    for (const char* file : {"workflow_output.json", "all_requests_profiler_traces.json", "standardized_data_all.csv",
                             "inference_optimization.json", "workflow_profiling_metrics.json", "workflow_profiling_report.txt",
                             "gantt_chart.png", "config_original.yml", "config_effective.yml", "config_metadata.json",
                             "latency_output.json", "events.jsonl", "profile.json", "llm_calls.csv", "report.html"})
        EXPECT_TRUE(std::filesystem::exists(folder() / "out" / file)) << file;
    const json::value rows = read_json("out/workflow_output.json");
    ASSERT_EQ(rows.as_array().size(), 8u);
    EXPECT_EQ(get_int(rows.as_array()[3], "id"), 4);
    EXPECT_FALSE(get_string(rows.as_array()[3], "generated_answer")->empty());
    const json::value traces = read_json("out/all_requests_profiler_traces.json");
    EXPECT_EQ(traces.as_array().size(), 8u);
    EXPECT_EQ(read_json("out/latency_output.json").at("eval_output_items").as_array().size(), 8u);
}

TEST_F(Eval, PricesAndASessionAreInItsProfile) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(4));
    write("prices.yml", "prices: {simulated: {input: 1, output: 2, cached: 0.5}}\n");
    const auto result = run_program({"eval", "--config_file", "eval.yml", "--prices", "prices.yml", "--session", "2"}, folder());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json::value profile = read_json("out/profile.json");
    EXPECT_GT(profile.at_pointer("/token_cost/total").to_number<double>(), 0);
    EXPECT_EQ(profile.at("llm_timing").at("session_queueing").at("n"), 4);
    bool shown = false;
    for (const json::value& session : profile.at("chosen_sessions").as_array()) shown = shown || session.at("session") == 2;
    EXPECT_TRUE(shown);
    const std::string page = load_file(folder() / "out/report.html").value();
    EXPECT_THAT(page, AllOf(HasSubstr("Session 2, "), HasSubstr("price table"), HasSubstr("question number 3?")));
    EXPECT_EQ(run_program({"eval", "--config_file", "eval.yml", "--session", "4"}, folder()).exit_code, 1);
    EXPECT_EQ(run_program({"eval", "--config_file", "eval.yml", "--prices", "absent.yml"}, folder()).exit_code, 1);
}

TEST_F(Eval, GivesNatsNumbersWhereAsked) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(4));
    ASSERT_EQ(run_program({"eval", "--config_file", "eval.yml", "--nat_compat"}, folder()).exit_code, 0);
    const auto profile_again = [&](std::vector<std::string> flags) {
        flags.insert(flags.begin(), {"profile", "out", "--config_file", "eval.yml", "--output_dir", "again"});
        EXPECT_EQ(run_program(flags, folder()).exit_code, 0);
    };
    const auto text = [&](const char* dir, const char* file) { return load_file(folder() / dir / file).value(); };
    profile_again({"--nat_compat"});
    for (const char* file : {"standardized_data_all.csv", "inference_optimization.json", "workflow_profiling_metrics.json"})
        EXPECT_EQ(text("out", file), text("again", file)) << file;
    profile_again({});
    EXPECT_NE(text("out", "standardized_data_all.csv"), text("again", "standardized_data_all.csv"));
}

TEST_F(Eval, TheArticlesConfigRunsAsItStands) {
    // Dataset and profiler directly under eval, a collector that is not there. Only the model is the simulated one.
    const SimulatedModel model(folder());
    std::string text = load_file(std::string(PLIMSOLL_SOURCE_DIR) + "/tests/data/article/article_eval.yml").value();
    const std::string local = "    _type: local\n";
    ASSERT_NE(text.find(local), std::string::npos);
    text.replace(text.find(local), local.size(), "    _type: openai\n    model_name: m\n    base_url: " + model.url() + "\n");
    write("article_eval.yml", text);
    write("example_inputs.json", load_file(std::string(PLIMSOLL_SOURCE_DIR) + "/tests/data/article/example_inputs.json").value());
    const auto result = run_program({"eval", "--config_file", "article_eval.yml"}, folder());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(std::filesystem::exists(folder() / "single_run_result" / "gantt_chart.png"));
    EXPECT_EQ(read_json("single_run_result/workflow_output.json").as_array().size(), 3u);
}

// What a session left behind, without what differs between any two runs (ids and times).
json::value essence(const json::value& rows) {
    json::array out;
    for (const json::value& row : rows.as_array())
        out.push_back(
            {{"id", row.at("id")}, {"answer", row.at("generated_answer")}, {"steps", row.at("intermediate_steps").as_array().size()}});
    return out;
}

TEST_F(Eval, KilledHalfWayResumesToTheSameResult) {
    const SimulatedModel model(folder(), {"--itl", "0.04"});
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(24));
    const std::vector<std::string> whole = {"eval", "--config_file", "eval.yml", "--override", "eval.general.output_dir", "whole"};
    ASSERT_EQ(run_program(whole, folder()).exit_code, 0);

    Program killed({"eval", "--config_file", "eval.yml"}, folder());
    wait_for_progress(killed);
    killed.send_signal(SIGKILL);
    EXPECT_EQ(killed.finish().exit_code, 128 + SIGKILL);
    const std::string log = load_file(folder() / "out" / "events.jsonl").value();
    EXPECT_THAT(log, HasSubstr("\"t\":\"end\""));

    const auto resumed = run_program({"eval", "--config_file", "eval.yml", "--resume", "out"}, folder());
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(essence(read_json("out/workflow_output.json")), essence(read_json("whole/workflow_output.json")));
    EXPECT_EQ(read_json("out/all_requests_profiler_traces.json").as_array().size(), 24u);
}

TEST_F(Eval, CompletedEntriesAreKeptAndNotRunAgain) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", R"([{"id": 1, "question": "a?", "generated_answer": "known"}, {"id": 2, "question": "b?"}])");
    const auto result = run_program({"eval", "--config_file", "eval.yml", "--skip_completed_entries"}, folder());
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const json::value rows = read_json("out/workflow_output.json");
    ASSERT_EQ(rows.as_array().size(), 2u);
    EXPECT_EQ(get_string(rows.as_array()[0], "generated_answer"), "known");
    EXPECT_NE(get_string(rows.as_array()[1], "generated_answer"), "");
}

TEST_F(Eval, ResumeWithAnotherDatasetIsRefused) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(3));
    ASSERT_EQ(run_program({"eval", "--config_file", "eval.yml"}, folder()).exit_code, 0);
    write("dataset.json", many_questions(4));
    EXPECT_EQ(run_program({"eval", "--config_file", "eval.yml", "--resume", "out"}, folder()).exit_code, 1);
    EXPECT_EQ(read_json("out/workflow_output.json").as_array().size(), 3u) << "the earlier result is untouched";
}

TEST_F(Eval, InterruptedRunFinishesWhatItStarted) {
    const SimulatedModel model(folder(), {"--itl", "0.04"});
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(200));
    Program program({"eval", "--config_file", "eval.yml"}, folder());
    wait_for_progress(program);
    program.send_signal(SIGINT);
    const auto result = program.finish();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.out, HasSubstr("INTERRUPTED"));
    EXPECT_TRUE(std::filesystem::exists(folder() / "out" / "workflow_output.json"));
}

TEST_F(Eval, DrivesAPlimsollServerOverHttp) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    write("dataset.json", many_questions(6));
    Program server({"serve", "--config_file", "eval.yml", "--port", "0"}, folder());
    const std::string line = server.wait_for_line("listening on ");
    ASSERT_THAT(line, HasSubstr("http://"));
    const auto result = run_program({"eval", "--config_file", "eval.yml", "--endpoint", line.substr(line.find("http://"))}, folder());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const json::value rows = read_json("out/workflow_output.json");
    EXPECT_FALSE(get_string(rows.as_array()[0], "generated_answer")->empty());
    EXPECT_THAT(load_file(folder() / "out" / "all_requests_profiler_traces.json").value(), HasSubstr("LLM_NEW_TOKEN"));
    server.send_signal(SIGTERM);
    EXPECT_EQ(server.finish().exit_code, 0);
}

TEST_F(Eval, RunStreamsOneSession) {
    const SimulatedModel model(folder());
    write("eval.yml", chat_config(model.url()));
    const auto result = run_program({"run", "--config_file", "eval.yml", "--input", "What is p95?"}, folder());
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, Not(testing::IsEmpty()));
}

TEST_F(Eval, InfoListsWhatAConfigMayName) {
    const auto result = run_program({"info", "components"}, folder());
    EXPECT_EQ(result.exit_code, 0);
    for (const char* type : {"deep_research", "chat_completion", "current_datetime", "nim", "local", "otelcollector", "avg_llm_latency"})
        EXPECT_THAT(result.out, HasSubstr(type));
}

}  // namespace
}  // namespace plimsoll::test
