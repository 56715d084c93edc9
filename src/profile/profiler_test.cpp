// The whole profiler on recorded runs. Where NAT 1.9.0 is right the numbers are NAT's; where it is wrong (calls that overlap
// within a session) they are those of a small oracle here, which knows nothing of the code under test.
#include "profile/profiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/stats.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

struct Case {
    std::string folder;
    int spike_threshold = 7;
    bool exclude_text = true;
    bool sequential = true;  // no two LLM calls of a session overlap
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.folder; }

ProfilerConfig config_for(const Case& c) {
    ProfilerConfig config;
    config.base_metrics = config.workflow_runtime_forecast = config.token_uniqueness_forecast = config.compute_llm_metrics = true;
    config.csv_exclude_io_text = c.exclude_text;
    config.bottleneck_analysis.enable_nested_stack = true;
    config.concurrency_spike_analysis = {true, c.spike_threshold};
    return config;
}

json::value parse(const std::string& text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value.has_value());
    return value.value_or(nullptr);
}

std::string content_of(const ProfileResult& result, std::string_view file_name) {
    for (const auto& artefact : result.artefacts)
        if (artefact.file_name == file_name) return artefact.content;
    ADD_FAILURE() << "no " << file_name;
    return "";
}

json::value json_of(const ProfileResult& result, std::string_view file_name) { return parse(content_of(result, file_name)); }

// The order of the UUIDs of a spike is arbitrary in NAT's file.
void sort_active_uuids(json::value& metrics) {
    for (auto& spike : metrics.at("concurrency_spike_analysis").at("spike_intervals").as_array()) {
        auto& uuids = spike.at("active_uuids").as_array();
        std::ranges::sort(uuids, {}, [](const json::value& uuid) { return std::string(uuid.as_string()); });
    }
}

class GoldenTest : public testing::TestWithParam<Case> {
  protected:
    void SetUp() override { result_ = profile({load_golden_traces(path("all_requests_profiler_traces.json"))}, config_for(GetParam())); }

    std::string path(const std::string& file) const { return GetParam().folder + "/" + file; }
    json::value golden_json(const std::string& file) const { return parse(load_golden(path(file))); }

    ProfileResult result_;
};

TEST_P(GoldenTest, EveryAnalysisFinishes) { EXPECT_TRUE(result_.failures.empty()); }

TEST_P(GoldenTest, CsvIsIdentical) {
    EXPECT_EQ(content_of(result_, "standardized_data_all.csv"), load_golden(path("standardized_data_all.csv")));
}

TEST_P(GoldenTest, TracesComeBackAsTheyCame) {
    EXPECT_EQ(find_difference(golden_json("all_requests_profiler_traces.json"), json_of(result_, "all_requests_profiler_traces.json")), "");
}

TEST_P(GoldenTest, InferenceOptimizationAgrees) {
    json::value expected = golden_json("inference_optimization.json");
    const json::value actual = json_of(result_, "inference_optimization.json");
    expected.as_object()["common_prefixes"] = nullptr;
    if (!GetParam().sequential) {  // the oracle below checks it
        const char* member = "llm_latency_confidence_intervals";
        expected.at("confidence_intervals").as_object()[member] = actual.at("confidence_intervals").at(member);
    }
    EXPECT_EQ(find_difference(expected, actual), "");
}

TEST_P(GoldenTest, ConcurrencySpikesAgree) {
    json::value expected = golden_json("workflow_profiling_metrics.json");
    json::value actual = json_of(result_, "workflow_profiling_metrics.json");
    sort_active_uuids(expected);
    sort_active_uuids(actual);
    EXPECT_EQ(find_difference(expected.at("concurrency_spike_analysis"), actual.at("concurrency_spike_analysis")), "");
}

TEST_P(GoldenTest, NestedConcurrencyAgrees) {
    const json::value expected = golden_json("workflow_profiling_metrics.json");
    const json::value actual = json_of(result_, "workflow_profiling_metrics.json");
    EXPECT_EQ(find_difference(expected.at("nested_stack_analysis").at("concurrency"), actual.at("nested_stack_analysis").at("concurrency")),
              "");
}

INSTANTIATE_TEST_SUITE_P(Nat, GoldenTest,
                         testing::Values(Case{"nat/single_8/out"}, Case{"nat/syn_single_50/out"}, Case{"nat/research_8_c1/out"},
                                         Case{.folder = "nat/parallel_8_c2/out", .sequential = false},
                                         Case{"nat-small/profiler_two_traces", 3, false, false}));

// Runs without parallel calls within a session: NAT's tree is right, so the report is the same to the byte.
class SequentialGoldenTest : public GoldenTest {};

TEST_P(SequentialGoldenTest, ReportIsIdentical) {
    EXPECT_EQ(content_of(result_, "workflow_profiling_report.txt"), load_golden(path("workflow_profiling_report.txt")));
}

TEST_P(SequentialGoldenTest, MetricsAgree) {
    json::value expected = golden_json("workflow_profiling_metrics.json");
    json::value actual = json_of(result_, "workflow_profiling_metrics.json");
    sort_active_uuids(expected);
    sort_active_uuids(actual);
    EXPECT_EQ(find_difference(expected, actual), "");
}

INSTANTIATE_TEST_SUITE_P(Nat, SequentialGoldenTest, testing::Values(Case{"nat/single_8/out"}, Case{"nat/syn_single_50/out"}));

// What the raw file says about each call: its times by UUID and its parent.
struct OracleCall {
    std::string type, parent;
    double start = 0, end = 0;
};

std::map<std::string, OracleCall> read_calls(const json::value& traces) {
    std::map<std::string, OracleCall> calls;
    for (const auto& request : traces.as_array())
        for (const auto& step : request.at("intermediate_steps").as_array()) {
            const auto& payload = step.at("payload");
            const std::string type(payload.at("event_type").as_string());
            OracleCall& call = calls[std::string(payload.at("UUID").as_string())];
            if (type.ends_with("_START")) {
                call.type = type.substr(0, type.size() - 6);
                call.parent = std::string(step.at("parent_id").as_string());
                call.start = payload.at("event_timestamp").to_number<double>();
            }
            if (type.ends_with("_END")) call.end = payload.at("event_timestamp").to_number<double>();
        }
    return calls;
}

// Length of the union of the children within the call, by brute force over the ends of all of them.
double oracle_self_time(const std::string& uuid, const std::map<std::string, OracleCall>& calls) {
    const OracleCall& call = calls.at(uuid);
    std::vector<OracleCall> children;
    std::set<double> cuts{call.start, call.end};
    for (const auto& [id, other] : calls)
        if (other.parent == uuid) {
            children.push_back(other);
            cuts.insert({std::clamp(other.start, call.start, call.end), std::clamp(other.end, call.start, call.end)});
        }
    double self = 0;
    for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
        const double from = *cut, to = *std::next(cut);
        const bool covered = std::ranges::any_of(children, [&](const OracleCall& child) { return child.start <= from && child.end >= to; });
        if (!covered) self += to - from;
    }
    return self;
}

class OverlapTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const std::string file = GetParam() + "/all_requests_profiler_traces.json";
        calls_ = read_calls(parse(load_golden(file)));
        result_ = profile({load_golden_traces(file)}, config_for({}));
    }

    std::map<std::string, OracleCall> calls_;
    ProfileResult result_;
};

TEST_P(OverlapTest, LatencyPairsByUuid) {
    std::vector<double> latencies;
    for (const auto& [uuid, call] : calls_)
        if (call.type == "LLM") latencies.push_back(call.end - call.start);
    EXPECT_EQ(result_.llm_latency_ci.n, latencies.size());
    EXPECT_NEAR(result_.llm_latency_ci.mean, mean(latencies), 1e-9);
    EXPECT_NEAR(result_.llm_latency_ci.percentiles.p95, percentile(latencies, 95), 1e-9);
}

TEST_P(OverlapTest, CallsNestByParent) {
    const json::value metrics = json_of(result_, "workflow_profiling_metrics.json");
    std::size_t compared = 0;
    for (const auto& [uuid, call] : metrics.at("nested_stack_analysis").at("node_metrics").as_object()) {
        const double expected = oracle_self_time(std::string(uuid), calls_);
        EXPECT_NEAR(call.at("self_time").to_number<double>(), expected, 1e-6) << std::string_view(uuid);
        ++compared;
    }
    EXPECT_GT(compared, 100u);
}

TEST_P(OverlapTest, DepthFollowsTheParents) {
    for (const GanttBar& bar : result_.bars.list) {
        int depth = -1;  // the workflow itself is no bar
        for (auto at = calls_.find(bar.uuid); at != calls_.end(); at = calls_.find(at->second.parent))
            depth += at->second.type != "WORKFLOW";
        EXPECT_EQ(bar.depth, depth) << bar.uuid;
    }
}

INSTANTIATE_TEST_SUITE_P(Nat, OverlapTest, testing::Values("nat/parallel_8_c2/out", "nat/research_8_c1/out"));

TEST(ProfilerTest, ParallelCallsAreAllMeasured) {
    const auto result = profile({load_golden_traces("nat/parallel_8_c2/out/all_requests_profiler_traces.json")}, config_for({}));
    EXPECT_EQ(result.llm_latency_ci.n, 72u);  // NAT: 16, mean 0.226
    EXPECT_NEAR(result.llm_latency_ci.mean, 0.381, 0.0005);
}

TEST(ProfilerTest, TwoTraces) {
    ProfilerConfig config = config_for({"", 3, false});
    config.bottleneck_analysis.enable_simple_stack = true;
    const auto result = profile({load_golden_traces("nat-small/profiler_two_traces/all_requests_profiler_traces.json")}, config);

    EXPECT_NEAR(result.workflow_runtime_ci.mean, 3.45, 1e-9);
    EXPECT_NEAR(result.workflow_runtime->p95, 4.305, 1e-9);
    EXPECT_NEAR(result.throughput_ci.mean, 0.4545454545, 1e-9);
    EXPECT_EQ(result.llm_latency_ci.n, 4u);  // 1, 2, 1, 2 seconds; NAT loses one of them
    EXPECT_NEAR(result.llm_latency_ci.mean, 1.5, 1e-9);

    const json::value expected = parse(load_golden("nat-small/profiler_two_traces/workflow_profiling_metrics.json"));
    const json::value metrics = json_of(result, "workflow_profiling_metrics.json");
    EXPECT_EQ(find_difference(expected.at("simple_stack_analysis"), metrics.at("simple_stack_analysis")), "");
    // NAT puts l3 into l2 because it started while l2 ran; both were called by the same function.
    const json::value& overlapping = metrics.at("nested_stack_analysis").at("node_metrics").at("l2");
    EXPECT_NEAR(overlapping.at("self_time").to_number<double>(), 1.0, 1e-9);
    EXPECT_NEAR(overlapping.at("subtree_time").to_number<double>(), 1.0, 1e-9);
    const json::value& function = metrics.at("nested_stack_analysis").at("node_metrics").at("f0");
    EXPECT_NEAR(function.at("self_time").to_number<double>(), 0.7, 1e-9);
    EXPECT_NEAR(function.at("subtree_time").to_number<double>(), 4.2, 1e-9);
}

TEST(ProfilerTest, AverageRuntimeAndLatency) {
    const auto result = profile({{make_session(make_call("LLM", "a", 50, 55.5)), make_session(make_call("LLM", "b", 60, 66))}}, {});
    EXPECT_DOUBLE_EQ(result.llm_latency_ci.mean, 5.75);
    EXPECT_DOUBLE_EQ(result.workflow_runtime_ci.mean, 5.75);
    EXPECT_FALSE(result.workflow_runtime.has_value());  // nobody asked for it
}

TEST(ProfilerTest, NothingRecordedIsNoFailure) {
    const auto result = profile({}, config_for({}));
    EXPECT_TRUE(result.failures.empty());
    EXPECT_EQ(content_of(result, "standardized_data_all.csv"), "\n");
    EXPECT_EQ(result.workflow_runtime_ci.n, 0u);
    EXPECT_THAT(content_of(result, "workflow_profiling_report.txt"), testing::HasSubstr("No calls found."));
}

TEST(ProfilerTest, SessionsWithoutStepsCountInThroughputOnly) {
    const auto result = profile({{make_session(make_call("LLM", "a", 0, 4)), {}}}, {});
    EXPECT_EQ(result.workflow_runtime_ci.n, 1u);
    EXPECT_DOUBLE_EQ(result.throughput_ci.mean, 0.5);
}

TEST(ProfilerTest, WorkflowEventsAlone) {
    const auto result = profile({{make_session(make_call("WORKFLOW", "w", 0, 4))}}, config_for({}));
    EXPECT_THAT(
        content_of(result, "workflow_profiling_report.txt"),
        testing::AllOf(testing::HasSubstr("No calls found."), testing::HasSubstr("No intervals exceed concurrency spike threshold.")));
    EXPECT_TRUE(result.bars.list.empty());
}

TEST(ProfilerTest, UnfinishedCallHasNoLength) {
    const auto result = profile({{make_session({{.type = "LLM_START", .time = 3, .uuid = "a", .name = "m"}})}}, config_for({}));
    ASSERT_EQ(result.bars.list.size(), 1u);
    EXPECT_EQ(result.bars.list[0].end, 3);
    EXPECT_EQ(result.llm_latency_ci.n, 0u);
    ASSERT_EQ(result.step_latencies.size(), 1u);
    EXPECT_EQ(result.step_latencies[0].unfinished, 1u);
}

TEST(ProfilerTest, FailedCallsAreErrorsAndNoLatencies) {
    auto session = make_session(make_call("LLM", "a", 0, 1));
    auto failed = make_session(make_call("LLM", "b", 0, 30));
    failed.steps.back().payload.metadata = {{"error", {{"code", "timeout"}, {"message", "no answer"}}}};
    const auto result = profile({{session, failed}}, {});
    EXPECT_EQ(result.llm_latency_ci.n, 1u);
    EXPECT_DOUBLE_EQ(result.llm_latency_ci.mean, 1);
    ASSERT_EQ(result.step_latencies.size(), 1u);
    EXPECT_EQ(result.step_latencies[0].n, 1u);
    EXPECT_EQ(result.step_latencies[0].errors, 1u);
    EXPECT_DOUBLE_EQ(result.step_latencies[0].p99, 1);
}

TEST(ProfilerTest, SessionsThatShareUuidsStayApart) {
    const auto session = make_session(make_call("LLM", "same", 0, 1));
    const auto result = profile({{session, session}}, config_for({}));
    EXPECT_EQ(result.llm_latency_ci.n, 2u);
    EXPECT_EQ(result.bars.list.size(), 2u);
    const json::value metrics = json_of(result, "workflow_profiling_metrics.json");
    EXPECT_EQ(metrics.at("nested_stack_analysis").at("node_metrics").as_object().size(), 1u);
}

TEST(ProfilerTest, SessionsOfEndsAloneHaveALength) {
    auto session = make_session({{.type = "LLM_END", .time = 5, .uuid = "a", .name = "m"}});
    session.steps[0].payload.span_event_timestamp = 2;
    EXPECT_DOUBLE_EQ(profile({{session}}, {}).workflow_runtime_ci.mean, 3);
    ProfilerConfig nat;
    nat.nat_compat = true;
    EXPECT_DOUBLE_EQ(profile({{session}}, nat).workflow_runtime_ci.mean, 0);
}

TEST(ProfilerTest, ArtefactsAreGivenAwayRawTracesFirst) {
    ProfilerConfig config = config_for({});
    config.prediction_trie.enable = config.prefix_span_analysis.enable = config.prompt_caching_prefixes.enable = true;
    config.token_usage_forecast = true;
    const auto result = profile({load_golden_traces("nat/single_8/out/all_requests_profiler_traces.json")}, config);
    std::vector<std::string> names;
    for (const Artefact& artefact : result.artefacts) names.push_back(artefact.file_name);
    EXPECT_TRUE(result.failures.empty());
    EXPECT_THAT(names, testing::ElementsAre("all_requests_profiler_traces.json", "standardized_data_all.csv", "inference_optimization.json",
                                            "workflow_profiling_metrics.json", "workflow_profiling_report.txt", "token_usage_forecast.json",
                                            "fitted_model.pkl", "prediction_trie.json", "llm_calls.csv", "profile.json"));
}

TEST(ProfilerTest, AFailedAnalysisCostsNothingElse) {
    ProfilerConfig config = config_for({});
    config.token_usage_forecast = config.prediction_trie.enable = true;
    const auto result = profile({{make_session(make_call("LLM", "a", 0, 1))}}, config);
    ASSERT_EQ(result.failures.size(), 1u);
    EXPECT_EQ(result.failures[0].first, "token_usage_forecast");
    EXPECT_FALSE(content_of(result, "prediction_trie.json").empty());
}

TEST(ProfilerTest, TheEarliestBarsAreKept) {
    std::vector<event::SessionTrace> sessions;
    for (std::size_t i = kMaxBars + 20; i-- > 0;)
        sessions.push_back(make_session(make_call("TOOL", std::to_string(i), static_cast<double>(i / 2), 1e6)));
    const auto result = profile({sessions}, {});
    ASSERT_EQ(result.bars.list.size(), kMaxBars);
    EXPECT_EQ(result.bars.left_out, 20u);
    for (const GanttBar& bar : result.bars.list) EXPECT_LT(bar.start, kMaxBars / 2);
}

TEST(ProfilerTest, PatternsKnowWhatAllPromptsHaveInCommon) {
    ProfilerConfig config;
    config.prefix_span_analysis = {.enable = true, .min_support = 1, .chain_with_common_prefixes = true};
    std::vector<event::SessionTrace> sessions;
    for (const char* prompt : {"Be brief. 1", "Be brief. 2", "Be brief. 3"})
        sessions.push_back(make_session(
            {{.type = "LLM_START", .uuid = "a", .name = "m", .input = prompt}, {.type = "LLM_END", .time = 1, .uuid = "a", .name = "m"}}));
    EXPECT_TRUE(needs_preview(config));
    const json::value metrics = json_of(profile({sessions}, config), "workflow_profiling_metrics.json");
    EXPECT_EQ(metrics.at("prefix_span_analysis").at("patterns").at(0).at("pattern").at(0).as_string(), "LLM:m|<common_prefix>1");
}

TEST(ProfilerTest, OrphanStepsAreCounted) {
    const auto result =
        profile({{make_session({{.type = "LLM_END", .time = 3, .uuid = "a"}, {.type = "LLM_NEW_TOKEN", .uuid = "b"}})}}, {});
    EXPECT_EQ(result.orphan_steps, 2u);
}

TEST(ProfilerTest, SpikesWithoutAThresholdAreWhatIsUnusual) {
    // One call nearly all the time, for a moment three.
    const ProfileInput input{
        {make_session(join_calls({make_call("LLM", "a", 0, 1000), make_call("LLM", "b", 500, 510), make_call("LLM", "c", 500, 510)}))}};
    ProfilerConfig config;
    config.concurrency_spike_analysis = {.enable = true, .spike_threshold = {}};
    const auto threshold = [&] {
        const json::value metrics = parse_json(content_of(profile(input, config), "workflow_profiling_metrics.json")).value();
        const json::value& spikes = metrics.at("concurrency_spike_analysis");
        return std::pair(spikes.at("spike_threshold").to_number<int>(), spikes.at("spike_intervals").as_array().size());
    };
    EXPECT_EQ(threshold(), std::pair(2, std::size_t{1}));
    config.nat_compat = true;
    EXPECT_EQ(threshold(), std::pair(1, std::size_t{3}));
}

}  // namespace
}  // namespace plimsoll::profile
