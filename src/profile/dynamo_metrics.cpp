#include "profile/dynamo_metrics.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace plimsoll::profile {
namespace {

struct Metric {
    std::string_view key, promql;            // {range} stands for the settings' query_range
    bool DynamoSettings::* group = nullptr;  // switch; null: always asked
};

// In the order of NAT's result.
using S = DynamoSettings;
constexpr Metric kMetrics[] = {
    {"kve_cached_tokens_rate", "rate(dynamo_component_thompson_kve_cached_tokens_total[{range}])", &S::collect_kv_cache},
    {"kve_prompt_tokens_rate", "rate(dynamo_component_thompson_kve_prompt_tokens_total[{range}])", &S::collect_kv_cache},
    {"kve_device_blocks_rate", "rate(dynamo_component_thompson_kve_device_blocks_total[{range}])", &S::collect_kv_cache},
    {"kve_host_blocks_rate", "rate(dynamo_component_thompson_kve_host_blocks_total[{range}])", &S::collect_kv_cache},
    {"kve_disk_blocks_rate", "rate(dynamo_component_thompson_kve_disk_blocks_total[{range}])", &S::collect_kv_cache},
    {"kv_cache_usage_percent", "dynamo_component_kvstats_gpu_cache_usage_percent", &S::collect_kv_cache},
    {"kv_cache_hit_rate_sglang", "sglang:cache_hit_rate", &S::collect_kv_cache},
    {"kv_cache_hit_rate_dynamo", "dynamo_component_kvstats_gpu_prefix_cache_hit_rate", &S::collect_kv_cache},
    {"ttft_p50", "histogram_quantile(0.50, rate(dynamo_frontend_time_to_first_token_seconds_bucket[{range}]))", &S::collect_ttft},
    {"ttft_p95", "histogram_quantile(0.95, rate(dynamo_frontend_time_to_first_token_seconds_bucket[{range}]))", &S::collect_ttft},
    {"ttft_p99", "histogram_quantile(0.99, rate(dynamo_frontend_time_to_first_token_seconds_bucket[{range}]))", &S::collect_ttft},
    {"itl_p50", "histogram_quantile(0.50, rate(dynamo_frontend_inter_token_latency_seconds_bucket[{range}]))", &S::collect_itl},
    {"itl_p95", "histogram_quantile(0.95, rate(dynamo_frontend_inter_token_latency_seconds_bucket[{range}]))", &S::collect_itl},
    {"itl_p99", "histogram_quantile(0.99, rate(dynamo_frontend_inter_token_latency_seconds_bucket[{range}]))", &S::collect_itl},
    {"inflight_requests_frontend", "dynamo_frontend_inflight_requests", &S::collect_inflight_requests},
    {"inflight_requests_worker", "dynamo_component_inflight_requests", &S::collect_inflight_requests},
    {"queued_requests", "dynamo_frontend_queued_requests", &S::collect_inflight_requests},
    {"requests_per_minute", "rate(dynamo_frontend_requests_total[{range}]) * 60", &S::collect_throughput},
    {"token_throughput", "rate(dynamo_frontend_output_tokens_total[{range}])", &S::collect_token_throughput},
    {"sglang_running_requests", "sglang:num_running_reqs"},
    {"sglang_queue_depth", "sglang:num_queue_reqs"},
    {"sglang_gen_throughput", "sglang:gen_throughput", &S::collect_token_throughput},
    {"sglang_utilization", "sglang:utilization"},
    {"thompson_routing_decisions_rate", "rate(dynamo_component_thompson_routing_decisions_total[{range}])"},
    {"thompson_requests_rate", "rate(dynamo_component_thompson_requests_total[{range}])"},
};

std::string with_range(std::string_view promql, const std::string& range) {
    constexpr std::string_view kPlace = "{range}";
    std::string out(promql);
    if (const std::size_t at = out.find(kPlace); at != std::string::npos) out.replace(at, kPlace.size(), range);
    return out;
}

// The series of an answer that says success.
Result<json::array> parse_series(std::string_view body) {
    const auto answer = parse_json(body);
    if (!answer) return fail(ErrorCode::bad_response, "the answer is no JSON");
    if (get_string(*answer, "status") != "success")
        return fail(ErrorCode::bad_response, get_string(*answer, "error").value_or("the answer has no status"));
    const auto* data = find(*answer, "data");
    const auto* result = data ? find(*data, "result") : nullptr;
    if (!result || !result->is_array()) return json::array();
    return result->get_array();
}

// [time, "text"]; nothing for NaN, 0, and what is no such pair.
std::optional<double> number_of(const json::value& sample) {
    const auto* pair = sample.if_array();
    if (!pair || pair->size() != 2) return std::nullopt;
    const auto* text = (*pair)[1].if_string();
    if (!text) return std::nullopt;
    double number = 0;
    std::from_chars(text->data(), text->data() + text->size(), number);
    return std::isfinite(number) && number != 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

std::vector<DynamoQuery> dynamo_queries(const DynamoSettings& settings) {
    std::vector<DynamoQuery> queries;
    for (const Metric& metric : kMetrics)
        if (!metric.group || settings.*metric.group)
            queries.push_back({std::string(metric.key), with_range(metric.promql, settings.query_range)});
    return queries;
}

Result<std::optional<double>> parse_instant_answer(std::string_view body) {
    const auto series = parse_series(body);
    if (!series) return fail(series.error());
    const auto* value = series->empty() ? nullptr : find(series->front(), "value");
    return value ? number_of(*value) : std::nullopt;
}

Result<std::optional<double>> parse_range_answer(std::string_view body) {
    const auto series = parse_series(body);
    if (!series) return fail(series.error());
    double sum = 0;
    std::size_t count = 0;
    for (const json::value& one : *series) {
        const auto* values = find(one, "values");
        const auto* samples = values ? values->if_array() : nullptr;
        if (!samples) continue;
        for (const json::value& sample : *samples)
            if (const auto number = number_of(sample)) sum += *number, ++count;
    }
    return count > 0 && std::isfinite(sum) ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
}

json::object to_json(const DynamoMetrics& metrics) {
    json::object out;
    for (const Metric& metric : kMetrics) {
        const auto value = metrics.values.find(std::string(metric.key));
        out[metric.key] = value == metrics.values.end() ? json::value() : json::value(value->second);
    }
    out["collection_timestamp"] = metrics.collected;
    out["prometheus_url"] = metrics.prometheus_url;
    out["errors"] = json::value_from(metrics.errors);
    return out;
}

}  // namespace plimsoll::profile
