#include "eval/dynamo_fetch.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_client.h"

namespace plimsoll::eval {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kTimeout{30};  // of a question
constexpr double kDefaultLookback = 600;      // seconds
constexpr double kScrapeDelay = 15;           // seconds until the last scrape of the run is in
constexpr int kStep = 15;                     // seconds, of range queries
constexpr std::size_t kMaxAnswerBytes = 16u << 20;

struct Window {
    double start = 0, end = 0;
};

Window window_of(const profile::DynamoSettings& settings, double now) {
    if (settings.workflow_start_timestamp)
        return {*settings.workflow_start_timestamp, settings.workflow_end_timestamp ? *settings.workflow_end_timestamp : now};
    return {now - (settings.lookback_seconds > 0 ? settings.lookback_seconds : kDefaultLookback), now};
}

asio::awaitable<Result<std::string>> get(std::string url) {
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    net::HttpRequest request;
    request.url = std::move(url);
    request.deadline = Deadline::after(kTimeout);
    request.max_response_bytes = kMaxAnswerBytes;
    auto response = co_await client.send(std::move(request));
    if (!response) co_return fail(response.error());
    if (response->status >= 400) co_return fail(Error{ErrorCode::http_status, fmt::format("HTTP {}", response->status), response->status});
    co_return std::move(response->body);
}

asio::awaitable<Result<std::optional<double>>> ask(std::string api, std::string promql, Window window) {
    const std::string query = boost::urls::encode(promql, boost::urls::unreserved_chars);
    const auto instant = co_await get(fmt::format("{}/query?query={}&time={:.3f}", api, query, window.end));
    if (!instant) co_return fail(instant.error());
    auto value = profile::parse_instant_answer(*instant);
    if (!value || *value) co_return value;
    const auto range = co_await get(fmt::format("{}/query_range?query={}&start={:.3f}&end={:.3f}&step={}s", api, query, window.start,
                                                window.end + kScrapeDelay, kStep));
    if (!range) co_return fail(range.error());
    co_return profile::parse_range_answer(*range);
}

asio::awaitable<profile::DynamoMetrics> ask_all(profile::DynamoSettings settings, double now) {
    profile::DynamoMetrics metrics{.values = {}, .collected = now, .prometheus_url = settings.prometheus_url, .errors = {}};
    const std::string api = net::join_url(settings.prometheus_url, "api/v1");
    const Window window = window_of(settings, now);
    const auto queries = profile::dynamo_queries(settings);
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const auto value = co_await ask(api, queries[i].promql, window);
        if (value && *value) metrics.values[queries[i].key] = **value;
        if (value) continue;
        metrics.errors.push_back(fmt::format("Failed to collect {}: {}", queries[i].key, value.error().message));
        const bool answers = value.error().code == ErrorCode::http_status || value.error().code == ErrorCode::bad_response;
        if (answers) continue;
        if (const std::size_t left = queries.size() - i - 1; left > 0)
            metrics.errors.push_back(fmt::format("{} more were not asked for", left));
        break;
    }
    co_return metrics;
}

}  // namespace

profile::DynamoMetrics fetch_dynamo_metrics(const profile::DynamoSettings& settings) {
    asio::io_context loop(1);
    profile::DynamoMetrics metrics;
    asio::co_spawn(loop, ask_all(settings, system_clock()()), [&](const std::exception_ptr& error, profile::DynamoMetrics done) {
        PLIMSOLL_CHECK(!error, "asking Prometheus threw");
        metrics = std::move(done);
    });
    loop.run();
    if (!metrics.errors.empty()) log_warning("dynamo_metrics: {}: {}", settings.prometheus_url, metrics.errors.front());
    return metrics;
}

}  // namespace plimsoll::eval
