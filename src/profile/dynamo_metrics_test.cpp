#include "profile/dynamo_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profile/profiler.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::HasSubstr;

TEST(DynamoMetricsTest, HasEveryKeyOfNats) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : to_json(DynamoMetrics{})) keys.emplace_back(key);
    EXPECT_THAT(keys, testing::ElementsAre(
                          "kve_cached_tokens_rate", "kve_prompt_tokens_rate", "kve_device_blocks_rate", "kve_host_blocks_rate",
                          "kve_disk_blocks_rate", "kv_cache_usage_percent", "kv_cache_hit_rate_sglang", "kv_cache_hit_rate_dynamo",
                          "ttft_p50", "ttft_p95", "ttft_p99", "itl_p50", "itl_p95", "itl_p99", "inflight_requests_frontend",
                          "inflight_requests_worker", "queued_requests", "requests_per_minute", "token_throughput",
                          "sglang_running_requests", "sglang_queue_depth", "sglang_gen_throughput", "sglang_utilization",
                          "thompson_routing_decisions_rate", "thompson_requests_rate", "collection_timestamp", "prometheus_url", "errors"));
}

TEST(DynamoMetricsTest, QueriesFollowTheSwitches) {
    EXPECT_EQ(dynamo_queries({}).size(), 25u);
    const auto few = dynamo_queries({.collect_kv_cache = false,
                                     .collect_itl = false,
                                     .collect_inflight_requests = false,
                                     .collect_throughput = false,
                                     .collect_token_throughput = false,
                                     .query_range = "5m"});
    ASSERT_EQ(few.size(), 3u + 5u);
    EXPECT_EQ(few[1].key, "ttft_p95");
    EXPECT_EQ(few[1].promql, "histogram_quantile(0.95, rate(dynamo_frontend_time_to_first_token_seconds_bucket[5m]))");
}

TEST(DynamoMetricsTest, Answers) {
    const auto instant = [](const std::string& value) {
        return parse_instant_answer(R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,)" + value +
                                    R"(]},{"metric":{},"value":[1,"99"]}]}})")
            .value();
    };
    EXPECT_EQ(instant("\"0.25\""), 0.25);
    for (const char* nothing : {"\"0\"", "\"NaN\"", "\"+Inf\"", "\"words\"", "7"}) EXPECT_EQ(instant(nothing), std::nullopt) << nothing;
    EXPECT_EQ(parse_instant_answer(R"({"status":"success","data":{"result":[]}})").value(), std::nullopt);
    EXPECT_EQ(parse_instant_answer(R"({"status":"success"})").value(), std::nullopt);
    const auto range = parse_range_answer(
        R"({"status":"success","data":{"result":[{"values":[[1,"1"],[2,"0"],[3,"3"]]},{"values":[[1,"NaN"],[2,"5"],"x"]},{}]}})");
    EXPECT_EQ(range.value(), 3);
    for (const char* text : {"", "[", "[]", "{}", R"({"status":"error","error":"bad query"})"})
        EXPECT_EQ(parse_range_answer(text).error().code, ErrorCode::bad_response) << text;
    EXPECT_THAT(parse_instant_answer(R"({"status":"error","error":"bad query"})").error().message, HasSubstr("bad query"));
}

TEST(DynamoMetricsTest, TheProfilerAsksForItsWindow) {
    ProfilerConfig config;
    config.dynamo_metrics.enable = true;
    ProfileInput input{{make_session(make_call("LLM", "a", 100, 107)), make_session(make_call("LLM", "b", 90, 101))}};
    input.sessions[1].steps[1].payload.span_event_timestamp = 88;
    const auto summary = [&] {
        for (const Artefact& artefact : profile(input, config).artefacts)
            if (artefact.file_name == "inference_optimization.json") return parse_json(artefact.content).value();
        return json::value();
    };
    EXPECT_TRUE(summary().at("dynamo_metrics").is_null());
    input.fetch_dynamo = [](const DynamoSettings& settings) {
        EXPECT_EQ(settings.workflow_start_timestamp, 88);
        EXPECT_EQ(settings.workflow_end_timestamp, 107);
        return DynamoMetrics{.values = {{"ttft_p95", 0.5}}, .collected = 108, .prometheus_url = "u", .errors = {"e"}};
    };
    const json::value metrics = summary().at("dynamo_metrics");
    EXPECT_EQ(metrics.at("ttft_p95").to_number<double>(), 0.5);
    EXPECT_TRUE(metrics.at("itl_p50").is_null());
    EXPECT_EQ(metrics.at("errors"), json::array{"e"});
    config.dynamo_metrics.enable = false;
    EXPECT_TRUE(summary().at("dynamo_metrics").is_null());
}

}  // namespace
}  // namespace plimsoll::profile
