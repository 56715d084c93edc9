// What NAT 1.9.0's own tests of `eval` say, case by case from tests/data/nat_cases: dataset filters and sizes, what a remote endpoint is
// asked again, outputs of unstructured datasets, scores of ATIF trajectories.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/test_cases.h"
#include "eval/evaluators.h"
#include "eval/output_files.h"
#include "eval/raw_server.h"
#include "eval/remote.h"
#include "record/atif.h"
#include "record/trace_file.h"

namespace plimsoll::eval {
namespace {

std::vector<std::string> ids(const Dataset& dataset) {
    std::vector<std::string> out;
    for (const auto& item : dataset.items) out.push_back(to_text(item.id));
    return out;
}

class DatasetSizeCase : public testing::TestWithParam<TestCase> {};

TEST_P(DatasetSizeCase, IsNats) {
    const auto number = [](const char* key) { return GetParam().input.at(key).to_number<int>(); };
    std::vector<json::object> rows;
    for (int i = 1; i <= number("rows"); ++i) rows.push_back({{"id", i}, {"question", "q" + std::to_string(i)}});
    const auto dataset = make_dataset(rows, {}, {.adjust = SizeAdjustment{number("concurrency"), number("num_passes")}});
    ASSERT_TRUE(dataset.has_value());
    EXPECT_EQ(ids(*dataset), json::value_to<std::vector<std::string>>(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(Nat, DatasetSizeCase, testing::ValuesIn(load_test_cases("nat_cases/dataset_size")), case_name);

class DatasetFilterCase : public testing::TestWithParam<TestCase> {};

TEST_P(DatasetFilterCase, IsNats) {
    struct Row {
        const char *id, *repo;
        int version;
    };
    std::vector<json::object> rows;
    for (const Row& row : {Row{"iproute2_101", "iproute2", 1}, Row{"frr_101", "frr", 2}, Row{"vxlan_101", "vxlan", 1},
                           Row{"iproute2_99", "iproute2", 4}, Row{"vxlan_102", "vxlan", 2}})
        rows.push_back({{"instance_id", row.id}, {"repo", row.repo}, {"version", row.version}, {"question", "q"}});
    DatasetConfig config;
    config.id_key = "instance_id";
    config.allow = json::value_to<ColumnPatterns>(GetParam().input.at("allow"));
    config.deny = json::value_to<ColumnPatterns>(GetParam().input.at("deny"));
    const auto dataset = make_dataset(rows, config);
    ASSERT_TRUE(dataset.has_value());
    EXPECT_EQ(ids(*dataset), json::value_to<std::vector<std::string>>(GetParam().expected));
}

INSTANTIATE_TEST_SUITE_P(Nat, DatasetFilterCase, testing::ValuesIn(load_test_cases("nat_cases/dataset_filter")), case_name);

class UnstructuredOutputCase : public testing::TestWithParam<TestCase> {};

TEST_P(UnstructuredOutputCase, IsNats) {
    DatasetConfig config;
    config.structure.disable = true;
    std::vector<ItemResult> items(1);
    items[0].output = GetParam().input;
    EXPECT_EQ(make_workflow_output(items, config, {}), json::value(json::array{GetParam().expected}));
}

INSTANTIATE_TEST_SUITE_P(Nat, UnstructuredOutputCase, testing::ValuesIn(load_test_cases("nat_cases/unstructured_output")), case_name);

// An answer is a status to refuse with, or the values of a stream between bars; "?" before them stands for damaged step lines.
std::string response(std::string answer) {
    if (answer.find_first_not_of("0123456789") == std::string::npos)
        return fmt::format("HTTP/1.1 {} No\r\nContent-Length: 0\r\n\r\n", answer);
    std::string body;
    if (answer.starts_with('?')) {
        answer.erase(0, 1);
        body =
            "intermediate_data: {oops}\nintermediate_data: {\"payload\": 7}\n"
            "intermediate_data: {\"payload\": \"{\\\"event_type\\\": \\\"TOOL_START\\\", \\\"event_timestamp\\\": 1, "
            "\\\"UUID\\\": \\\"t\\\"}\"}\n\n";
    }
    for (std::size_t at = 0; at <= answer.size();) {
        const std::size_t bar = std::min(answer.find('|', at), answer.size());
        body += "data: " + to_compact_json({{"value", answer.substr(at, bar - at)}}) + "\n\n";
        at = bar + 1;
    }
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

class RemoteCase : public testing::TestWithParam<TestCase> {};

TEST_P(RemoteCase, IsNats) {
    const json::value& input = GetParam().input;
    const auto answers = json::value_to<std::vector<std::string>>(input.at("answers"));
    std::size_t asked = 0;
    RawServer server([&](const std::string&) { return response(answers[std::min(asked++, answers.size() - 1)]); });

    RemoteOptions remote;
    remote.endpoint = server.url();
    remote.retry.attempts = input.at("attempts").to_number<int>();
    remote.retry.initial = std::chrono::milliseconds(1);
    if (const auto* statuses = find(input, "retried")) remote.retry.statuses = json::value_to<std::set<int>>(*statuses);
    const TemporaryFolder folder;
    DatasetItem item;
    item.id = 1;
    item.question = "why?";
    RunOptions options;
    options.items = {item};
    options.folder = folder.path();
    net::IoPool pool(1);
    const auto run = run_sessions(pool, make_remote_runner(remote), options);
    ASSERT_TRUE(run.has_value()) << run.error().message;

    const json::value& expected = GetParam().expected;
    const ItemResult& result = run->items.at(0);
    EXPECT_EQ(server.requests().size(), static_cast<std::size_t>(expected.at("requests").as_int64()));
    EXPECT_EQ(result.error.has_value(), expected.at("output").is_null());
    if (!result.error) EXPECT_EQ(result.output, expected.at("output"));
    if (const auto steps = get_int(expected, "steps")) EXPECT_EQ(result.steps.size(), static_cast<std::size_t>(*steps));
    EXPECT_FALSE(run->interrupted);
}

INSTANTIATE_TEST_SUITE_P(Nat, RemoteCase, testing::ValuesIn(load_test_cases("nat_cases/remote")), case_name);

class RuntimeEvaluatorCase : public testing::TestWithParam<TestCase> {};

TEST_P(RuntimeEvaluatorCase, IsNatsOnAtif) {
    event::SkipReport skipped;
    const auto trace = record::read_atif(GetParam().input.at("trajectory"), 0, skipped);
    ASSERT_TRUE(trace.has_value());
    ItemResult item;
    item.steps = trace->steps;
    const auto evaluator = make_evaluator(get_string(GetParam().input, "evaluator").value(), {});
    ASSERT_TRUE(evaluator.has_value());
    EXPECT_NEAR((*evaluator)(item).value, GetParam().expected.to_number<double>(), 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Nat, RuntimeEvaluatorCase, testing::ValuesIn(load_test_cases("nat_cases/runtime_evaluator_atif")), case_name);

TEST(RuntimeEvaluators, AgreeWithNatOnItsAtifFile) {
    const std::string folder = std::string(PLIMSOLL_SOURCE_DIR) + "/tests/goldens/nat-small/eval_run_sample/";
    const auto traces = record::read_trace_file(folder + "workflow_output_atif.json");
    ASSERT_TRUE(traces.has_value());
    struct Golden {
        const char *type, *file;
    };
    for (const Golden& golden : {Golden{"avg_llm_latency", "lat"}, Golden{"avg_num_llm_calls", "n"}, Golden{"avg_workflow_runtime", "rt"},
                                 Golden{"avg_tokens_per_llm_end", "tok"}}) {
        const json::value expected = parse_json(load_file(folder + golden.file + "_output.json").value()).value();
        const json::array& scores = expected.at("eval_output_items").as_array();
        ASSERT_EQ(scores.size(), traces->sessions.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            ItemResult item;
            item.steps = traces->sessions[i].steps;
            EXPECT_NEAR((*make_evaluator(golden.type, {}))(item).value, scores[i].at("score").to_number<double>(), 1e-9)
                << golden.type << i;
        }
    }
}

}  // namespace
}  // namespace plimsoll::eval
