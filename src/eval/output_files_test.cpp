#include "eval/output_files.h"

#include <gmock/gmock.h>

#include <fstream>

#include "base/files.h"
#include "eval/progress.h"
#include "event/trace.h"

namespace plimsoll::eval {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGoldens = fs::path(PLIMSOLL_SOURCE_DIR) / "tests/goldens/nat";

event::Step make_step(event::Category category, event::Phase phase, double time, std::string uuid, std::int64_t tokens = 0) {
    event::Step step;
    step.payload.event_type = {category, phase};
    step.payload.event_timestamp = time;
    step.payload.uuid = std::move(uuid);
    step.payload.name = "m";
    if (tokens > 0)
        step.payload.usage_info =
            event::UsageInfo{.token_usage = {.prompt_tokens = tokens, .completion_tokens = 1, .total_tokens = tokens + 1}};
    return step;
}

ItemResult make_item(json::object row) {
    ItemResult result;
    result.item = make_dataset({row}, {})->items.at(0);
    return result;
}

// ---- evaluators ----

double score(const std::string& type, const ItemResult& item) { return (*make_evaluator(type, {}))(item).value; }

TEST(Evaluators, ScoreASession) {
    ItemResult item = make_item({{"id", 1}, {"question", "q"}});
    using enum event::Category;
    item.steps = {make_step(workflow, event::Phase::start, 10, "w"), make_step(llm, event::Phase::start, 11, "a"),
                  make_step(llm, event::Phase::start, 11.5, "b"),    make_step(llm, event::Phase::end, 13, "a", 10),
                  make_step(llm, event::Phase::end, 12, "b", 20),    make_step(workflow, event::Phase::end, 14.00004, "w")};
    EXPECT_EQ(score("avg_llm_latency", item), 1.25);
    EXPECT_EQ(score("avg_workflow_runtime", item), 4);
    EXPECT_EQ(score("avg_num_llm_calls", item), 2);
    EXPECT_EQ(score("avg_tokens_per_llm_end", item), 16);
    item.steps.push_back(make_step(llm, event::Phase::end, 14, "b"));
    EXPECT_EQ(score("avg_num_llm_calls", item), 3) << "a call without tokens is a call";
}

TEST(Evaluators, ASessionWithoutStepsScoresZero) {
    const ItemResult item = make_item({{"id", 1}, {"question", "q"}});
    for (const auto& type : evaluator_types()) EXPECT_EQ(score(type.info.type, item), 0) << type.info.type;
    EXPECT_FALSE(evaluate(*make_evaluator("avg_llm_latency", {}), {}).average);
    EXPECT_EQ(make_evaluator("ragas", {}).error().code, ErrorCode::unsupported);
}

TEST(Evaluators, RoundAsPythonDoes) {
    EXPECT_EQ(round_to(0.125, 2), 0.12);
    EXPECT_EQ(round_to(0.375, 2), 0.38);
    EXPECT_EQ(round_to(2.675, 2), 2.67);  // below the half in binary
    EXPECT_EQ(round_to(-1.005, 2), -1.0);
}

struct GoldenEvaluator {
    std::string type, file;
};

// A timestamp is known to a quarter of a microsecond, a double's spacing at today's epoch.
void expect_near(const json::value& actual, const json::value& expected) {
    constexpr double kSpacing = 1e-6;
    if (expected.is_array()) {
        ASSERT_EQ(actual.as_array().size(), expected.as_array().size());
        for (std::size_t i = 0; i < expected.as_array().size(); ++i) expect_near(actual.as_array()[i], expected.as_array()[i]);
    } else if (expected.is_object()) {
        for (const auto& [key, value] : expected.as_object()) expect_near(actual.at(key), value);
    } else {
        EXPECT_NEAR(actual.to_number<double>(), expected.to_number<double>(), kSpacing);
    }
}

TEST(Evaluators, AgreeWithRecordedRuns) {
    for (const char* name : {"research_8_c1", "parallel_8_c2", "single_8"}) {
        const fs::path out = kGoldens / name / "out";
        const auto traces = event::parse_traces(*load_file(out / "all_requests_profiler_traces.json"));
        ASSERT_TRUE(traces);
        std::vector<ItemResult> items;
        for (const auto& trace : traces->sessions) {
            items.push_back(make_item({{"id", trace.request_number}, {"question", "q"}}));
            items.back().steps = trace.steps;
        }
        for (const auto& [type, file] : {GoldenEvaluator{"avg_llm_latency", "avg_llm_latency"},
                                         {"avg_workflow_runtime", "avg_runtime"},
                                         {"avg_num_llm_calls", "avg_calls"},
                                         {"avg_tokens_per_llm_end", "avg_tokens"}}) {
            const json::value golden = *parse_json(*load_file(out / (file + "_output.json")));
            const json::value mine = to_json(evaluate(*make_evaluator(type, {}), items));
            EXPECT_EQ(mine.at("average_score"), golden.at("average_score")) << name << " " << type;
            for (std::size_t i = 0; i < items.size(); ++i) {
                const json::value& expected = golden.at("eval_output_items").as_array()[i];
                const json::value& actual = mine.at("eval_output_items").as_array()[i];
                // NAT rounds the timestamps of a runtime to microseconds first.
                EXPECT_NEAR(actual.at("score").to_number<double>(), expected.at("score").to_number<double>(), 1.01e-4)
                    << name << " " << type;
                if (type != "avg_workflow_runtime") expect_near(actual.at("reasoning"), expected.at("reasoning"));
            }
        }
    }
}

// ---- files ----

TEST(OutputFiles, ARowKeepsItsColumnsAndGetsTheAnswer) {
    ItemResult item = make_item({{"id", 1}, {"question", "q"}, {"answer", "2"}, {"topic", "x"}});
    item.output = "hi";
    item.steps = {make_step(event::Category::llm, event::Phase::start, 1, "a"), make_step(event::Category::llm, event::Phase::end, 2, "a")};
    const json::value rows = make_workflow_output(std::vector{item}, {}, *parse_step_filter(nullptr));
    const json::object& row = rows.as_array().at(0).as_object();
    std::vector<std::string> keys;
    for (const auto& member : row) keys.emplace_back(member.key());
    EXPECT_THAT(keys, testing::ElementsAre("id", "question", "answer", "topic", "generated_answer", "intermediate_steps",
                                           "expected_intermediate_steps"));
    EXPECT_EQ(row.at("generated_answer"), json::value("hi"));
    EXPECT_EQ(row.at("intermediate_steps").as_array().size(), 1u);
    const json::value all = make_workflow_output(std::vector{item}, {}, *parse_step_filter(json::array()));
    EXPECT_EQ(all.at(0).at("intermediate_steps").as_array().size(), 2u);
}

TEST(OutputFiles, AFailedItemSaysWhy) {
    ItemResult item = make_item({{"id", 1}, {"question", "q"}, {"generated_answer", "before"}});
    item.error = Error{ErrorCode::timeout, "too slow"};
    const json::value row = make_workflow_output(std::vector{item}, {}, {}).at(0);
    EXPECT_EQ(row.at("generated_answer"), json::value("before"));
    EXPECT_EQ(row.at("session_error"), json::value({{"code", "timeout"}, {"message", "too slow"}}));
}

TEST(OutputFiles, TheOutputIsADatasetAgain) {
    ItemResult item = make_item({{"id", 1}, {"question", "q"}});
    item.output = "hi";
    item.steps = {make_step(event::Category::llm, event::Phase::start, 1, "a"),
                  make_step(event::Category::llm, event::Phase::end, 3, "a", 5)};
    const auto rows = parse_rows("json", to_pretty_json(make_workflow_output(std::vector{item}, {}, {})));
    ASSERT_TRUE(rows);
    const DatasetItem again = make_dataset(*rows, {})->items.at(0);
    EXPECT_EQ(again.generated_answer, json::value("hi"));
    std::vector<event::Step> steps;
    for (const auto& step : again.row.at("intermediate_steps").as_array()) steps.push_back(*event::parse_step(step));
    EXPECT_EQ(compute_usage(steps).runtime, 2);
}

TEST(OutputFiles, StepFilterNamesAreChecked) {
    EXPECT_FALSE(parse_step_filter(json::array())->has_value());
    EXPECT_EQ((*parse_step_filter(json::array{"LLM_NEW_TOKEN"}))->size(), 1u);
    EXPECT_EQ(parse_step_filter(json::array{"LLM_STOP"}).error().code, ErrorCode::config);
    EXPECT_EQ(parse_step_filter("LLM_END").error().code, ErrorCode::config);
}

TEST(OutputFiles, AreSavedWhole) {
    TemporaryFolder folder;
    EvalMetadata metadata;
    metadata.config_file = "c.yml";
    metadata.overrides = {{"a.b", "1"}};
    metadata.endpoint = "http://x";
    metadata.timestamp = 1795388131.377247;
    ASSERT_TRUE(save_config_files(folder.path() / "out", "a: 1 # mine\n", "a: 1\n", metadata));
    EXPECT_EQ(*load_file(folder.path() / "out/config_original.yml"), "a: 1 # mine\n");
    const json::value saved = *parse_json(*load_file(folder.path() / "out/config_metadata.json"));
    EXPECT_EQ(saved.as_object().size(), 15u);
    EXPECT_EQ(saved.at("endpoint"), json::value("http://x"));
    EXPECT_THAT(std::string(saved.at("timestamp").as_string()), HasSubstr("2026-11-22T22:55:31.377"));
    ASSERT_TRUE(save_evaluator_output(folder.path(), "group/latency", {}));
    EXPECT_TRUE(fs::exists(folder.path() / "group/latency_output.json"));
    EXPECT_EQ(save_evaluator_output(folder.path(), "../x", {}).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(save_evaluator_output(folder.path(), "/x", {}).error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(save_workflow_output("/dev/null/x", {}, {}, {}));
}

// ---- progress and summary ----

TEST(Progress, EstimatesFromThisRunsSessionsOnly) {
    EXPECT_EQ(progress_line({16, 0, 4, 0, 0, 1}), "done 0 running 4 failed 0 of 16");
    EXPECT_EQ(progress_line({16, 4, 4, 1, 0, 4}), "done 4 running 4 failed 1 of 16 ETA 12s");
    EXPECT_EQ(progress_line({16, 8, 4, 0, 6, 30}), "done 8 running 4 failed 0 of 16 ETA 2m00s");
    EXPECT_EQ(progress_line({16, 8, 4, 0, 8, 30}), "done 8 running 4 failed 0 of 16");
    EXPECT_EQ(progress_line({16, 16, 0, 0, 0, 30}), "done 16 running 0 failed 0 of 16");
}

std::string printed(ProgressPrinter::Style style, const std::vector<Progress>& updates) {
    TemporaryFolder folder;
    const fs::path file = folder.path() / "out";
    std::FILE* stream = std::fopen(file.c_str(), "w");
    {
        ProgressPrinter printer(stream, style);
        for (const Progress& progress : updates) printer.update(progress);
    }
    std::fclose(stream);
    return *load_file(file);
}

TEST(Progress, PlainLinesAreRationed) {
    EXPECT_EQ(printed({}, {{4, 0, 2, 0, 0, 0.1},
                           {4, 1, 2, 0, 0, 0.2},
                           {4, 2, 2, 0, 0, 0.3},
                           {4, 3, 1, 0, 0, 2.5},
                           {4, 4, 0, 0, 0, 2.6},
                           {4, 4, 0, 0, 0, 2.7}}),
              "done 1 running 2 failed 0 of 4 ETA 1s\ndone 3 running 1 failed 0 of 4 ETA 1s\ndone 4 running 0 failed 0 of 4\n");
}

TEST(Progress, ALiveLineIsRewritten) {
    EXPECT_EQ(printed({true, false}, {{2, 0, 2, 0, 0, 0}, {2, 2, 0, 1, 0, 1}}),
              "\rdone 0 running 2 failed 0 of 2\x1b[K\rdone 2 running 0 failed 1 of 2\x1b[K\n");
    EXPECT_THAT(printed({true, true}, {{2, 2, 0, 1, 0, 1}}), HasSubstr("\x1b[31mdone"));
}

TEST(SummaryText, IsNats) {
    Summary summary;
    summary.total_runtime_s = 2.234;
    summary.workflow_runtime_p95_s = 1.13;
    summary.llm_latency_p95_s = 0.38;
    summary.evaluators = {{"avg_llm_latency", 0.22, "avg_llm_latency_output.json"},
                          {"avg_runtime", 1.04, "avg_runtime_output.json"},
                          {"avg_calls", 4, "avg_calls_output.json"},
                          {"avg_tokens", 123, "avg_tokens_output.json"},
                          {"exact", 1, "exact_output.json"}};
    EXPECT_EQ(render_summary(summary), R"(
=== EVALUATION SUMMARY ===
Workflow Status: COMPLETED (workflow_output.json)
Total Runtime: 2.23s
Workflow Runtime (p95): 1.13s
LLM Latency (p95): 0.38s

Per evaluator results:
| Evaluator       |   Avg Score | Output File                 |
|-----------------|-------------|-----------------------------|
| avg_llm_latency |        0.22 | avg_llm_latency_output.json |
| avg_runtime     |        1.04 | avg_runtime_output.json     |
| avg_calls       |        4    | avg_calls_output.json       |
| avg_tokens      |      123    | avg_tokens_output.json      |
| exact           |        1    | exact_output.json           |
)");
}

TEST(SummaryText, CountsFailuresByKind) {
    Summary summary;
    summary.interrupted = true;
    summary.items = 8;
    summary.failures = {{ErrorCode::timeout, "too slow"}, {ErrorCode::connect, "nobody"}, {ErrorCode::timeout, "again"}};
    EXPECT_THAT(render_summary(summary),
                testing::AllOf(HasSubstr("INTERRUPTED"), HasSubstr("3 of 8 (1 connect, 2 timeout)"), HasSubstr("too slow")));
}

}  // namespace
}  // namespace plimsoll::eval
