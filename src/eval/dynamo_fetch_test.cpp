#include "eval/dynamo_fetch.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/raw_server.h"

namespace plimsoll::eval {
namespace {

using testing::HasSubstr;

std::string answer(const std::string& status, const std::string& body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

std::string success(const std::string& series) { return answer("200 OK", R"({"status":"success","data":{"result":[)" + series + "]}}"); }

profile::DynamoSettings settings_for(const RawServer& server) {
    return {.enable = true, .prometheus_url = server.url(), .workflow_start_timestamp = 1000.25, .workflow_end_timestamp = 1100.5};
}

TEST(DynamoFetch, AsksAtTheRunsEndAndOverItsTime) {
    RawServer server([](const std::string& head) {
        if (head.contains("/query?query=sglang%3Autilization&time=1100.500 ")) return success(R"({"value":[1,"0.75"]})");
        if (head.contains("/query_range?query=dynamo_frontend_queued_requests&start=1000.250&end=1115.500&step=15s "))
            return success(R"({"values":[[1,"2"],[2,"4"]]})");
        return success("");
    });
    const auto metrics = fetch_dynamo_metrics(settings_for(server));
    EXPECT_EQ(metrics.values, (std::map<std::string, double>{{"sglang_utilization", 0.75}, {"queued_requests", 3}}));
    EXPECT_TRUE(metrics.errors.empty());
    EXPECT_EQ(metrics.prometheus_url, server.url());
    EXPECT_EQ(server.requests().size(), 25u + 24u);
    EXPECT_THAT(server.requests().front(),
                HasSubstr("GET /api/v1/query?query=rate%28dynamo_component_thompson_kve_cached_tokens_total%5B30s%5D%29&"));
}

TEST(DynamoFetch, ARefusalCostsItsMetricOnly) {
    RawServer server([](const std::string& head) {
        if (head.contains("ttft") || head.contains("time_to_first_token")) return answer("500 Broken", "no");
        if (head.contains("inter_token")) return answer("200 OK", R"({"status":"error","error":"bad query"})");
        return success(R"({"value":[1,"1"]})");
    });
    const auto metrics = fetch_dynamo_metrics(settings_for(server));
    EXPECT_EQ(metrics.values.size(), 25u - 6u);
    ASSERT_EQ(metrics.errors.size(), 6u);
    EXPECT_EQ(metrics.errors.front(), "Failed to collect ttft_p50: HTTP 500");
    EXPECT_EQ(metrics.errors.back(), "Failed to collect itl_p99: bad query");
}

TEST(DynamoFetch, AServerThatIsNotThereIsAskedOnce) {
    profile::DynamoSettings settings;
    {
        settings = settings_for(RawServer([](const std::string&) { return std::string(); }));
    }
    const auto metrics = fetch_dynamo_metrics(settings);
    EXPECT_TRUE(metrics.values.empty());
    ASSERT_EQ(metrics.errors.size(), 2u);
    EXPECT_THAT(metrics.errors[0], HasSubstr("Failed to collect kve_cached_tokens_rate: "));
    EXPECT_EQ(metrics.errors[1], "24 more were not asked for");
    settings.prometheus_url = "no url";
    EXPECT_FALSE(fetch_dynamo_metrics(settings).errors.empty());
}

}  // namespace
}  // namespace plimsoll::eval
