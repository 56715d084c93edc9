// The sampler's own thread: this process, GPUs through a stand-in for the driver's library, and servers that are asked for their metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "load/sampler.h"
#include "load/test_table.h"
#include "net/http_server.h"

namespace plimsoll::load {
namespace {

namespace asio = boost::asio;

const std::string kFakeNvml = PLIMSOLL_BINARY_DIR "/tests/libfake_nvml.so";

TEST(Sampler, WatchesThisProcess) {
    Sampler sampler({.every_s = 0.1, .pids = {}, .metrics_urls = {"http://127.0.0.1:1/metrics"}, .gpus = false});
    const SampleLog log = sampler.stop();  // ends with a last look
    ASSERT_EQ(log.samples.size(), 1u);
    ASSERT_EQ(log.samples[0].processes.size(), 1u);
    EXPECT_TRUE(log.samples[0].processes[0].is_self);
    EXPECT_GT(log.samples[0].processes[0].rss_bytes, 0);
    EXPECT_EQ(log.failed_scrapes, 1u);
}

TEST(Nvml, AbsentIsFine) { EXPECT_EQ(Nvml::open("libno-such-library.so.1"), nullptr); }

// A library without the functions.
TEST(Nvml, StrangeLibraryIsRefused) { EXPECT_EQ(Nvml::open("libc.so.6"), nullptr); }

TEST(Nvml, TwoGpus) {
    for (int i = 0; i < 2; ++i) {  // it can be opened again
        const auto nvml = Nvml::open(kFakeNvml);
        ASSERT_TRUE(nvml);
        const auto gpus = nvml->read();
        ASSERT_EQ(gpus.size(), 2u);
        EXPECT_DOUBLE_EQ(gpus[0].utilization, 0.85);
        EXPECT_DOUBLE_EQ(gpus[0].memory_used, 60.0 * (1 << 30));
        EXPECT_DOUBLE_EQ(gpus[0].power_w, 400.5);
        EXPECT_EQ(gpus[1].index, 1);
        EXPECT_DOUBLE_EQ(gpus[1].power_w, 0);
    }
}

TEST(Nvml, GpusHaveColumnsOfTheirOwn) {
    Sampler sampler({.every_s = 0.1, .pids = {}, .metrics_urls = {}, .nvml = kFakeNvml});
    const auto row = last_row(samples_csv(sampler.stop()));
    EXPECT_EQ(row.at("gpu_utilization_mean"), "0.5");
    EXPECT_EQ(row.at("gpu0_utilization"), "0.85");
    EXPECT_EQ(row.at("gpu0_memory_used_mb"), "61440");
    EXPECT_EQ(row.at("gpu0_memory_total_mb"), "81920");
    EXPECT_EQ(row.at("gpu0_power_w"), "400.5");
    EXPECT_EQ(row.at("gpu1_utilization"), "0.15");
}

// Pages of metrics, each at a path of its own.
class MetricsServer {
  public:
    explicit MetricsServer(std::vector<std::pair<std::string, std::string>> pages)
        : pages_(std::move(pages)), server_(context_.get_executor(), {}) {
        for (const auto& [path, text] : pages_)
            server_.route("GET", path,
                          [&text = text](net::ServerRequest, net::ServerResponse& response) { return answer(text, response); });
        url_ = "http://127.0.0.1:" + std::to_string(server_.listen().value());
        asio::co_spawn(context_, server_.run(), asio::detached);
        thread_ = std::jthread([this] { context_.run(); });
    }
    ~MetricsServer() {
        server_.stop();
        thread_.join();
    }
    const std::string& url() const { return url_; }

  private:
    static asio::awaitable<void> answer(const std::string& text, net::ServerResponse& response) {
        std::ignore = co_await response.send(200, "text/plain", text);
    }

    std::vector<std::pair<std::string, std::string>> pages_;
    asio::io_context context_{1};
    net::HttpServer server_;
    std::string url_;
    std::jthread thread_;
};

constexpr const char* kFirstReplica =
    "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\nvllm:num_requests_waiting 1\nvllm:kv_cache_usage_perc 0.5\n";
constexpr const char* kSecondReplica = "num_requests_running 5\nnum_requests_waiting 0\nnum_request_max 8\ngpu_cache_usage_perc 0.75\n";
constexpr const char* kExporter =
    "DCGM_FI_DEV_GPU_UTIL{gpu=\"0\"} 40\nDCGM_FI_DEV_FB_USED{gpu=\"0\"} 100\nDCGM_FI_DEV_FB_FREE{gpu=\"0\"} 300\n";
constexpr const char* kUnknown =
    "# TYPE my:depth gauge\nmy:depth{queue=\"a\"} 7\n# TYPE my:calls counter\nmy:calls_total 12\nuntyped_value 2\n";

TEST(Sampler, SeveralServersAndExporters) {
    const MetricsServer server(
        {{"/one", kFirstReplica}, {"/two", kSecondReplica}, {"/dcgm", kExporter}, {"/dcgm2", kExporter}, {"/own", kUnknown}});
    SamplerOptions options{.every_s = 0.1, .pids = {}, .metrics_urls = {}, .gpus = false};
    for (const char* path : {"/one", "/two", "/dcgm", "/dcgm2", "/own", "/missing"}) options.metrics_urls.push_back(server.url() + path);
    Sampler sampler(options);
    SampleLog log = sampler.stop();
    ASSERT_FALSE(log.samples.empty());
    EXPECT_EQ(log.failed_scrapes, log.samples.size());
    EXPECT_THAT(log.scrape_error, testing::AllOf(testing::HasSubstr("/missing"), testing::HasSubstr("404")));
    EXPECT_EQ(log.server_seen().peak, 9);
    const auto row = last_row(samples_csv(log));
    for (const auto& [column, value] : std::map<std::string, std::string>{{"server_running", "8"},
                                                                          {"server_waiting", "1"},
                                                                          {"server_kv_usage", "0.75"},
                                                                          {"server1_running", "3"},
                                                                          {"server2_running", "5"},
                                                                          {"server3_running", ""},
                                                                          {"gpu0_utilization", "0.4"},
                                                                          {"gpu0_memory_total_mb", "400"},
                                                                          {"gpu1_utilization", "0.4"}})
        EXPECT_EQ(row.at(column), value) << column;
    EXPECT_FALSE(log.samples.back().server->max_running);  // of the first replica it is not known

    // What nothing here knows is kept as it is named.
    const std::string gauges = gauges_csv(log.gauges);
    EXPECT_THAT(gauges, testing::HasSubstr("/own,my:depth,\"queue=\"\"a\"\"\",7\n"));
    EXPECT_THAT(gauges, testing::HasSubstr(",untyped_value,,2\n"));
    EXPECT_THAT(gauges, testing::Not(testing::HasSubstr("my:calls")));
    EXPECT_THAT(last_scrapes_text(log),
                testing::AllOf(testing::HasSubstr("# " + server.url() + "/own\n"), testing::HasSubstr("my:calls_total 12")));
}

TEST(GaugeLog, OnlyChangesAreRows) {
    GaugeLog log;
    for (int i = 0; i < 10; ++i)
        log.add(i, "http://s/metrics",
                {{.name = "steady", .labels = "", .value = 1}, {.name = "moves", .labels = "", .value = i / 5.0 < 1 ? 0.0 : 2.0}});
    EXPECT_EQ(log.rows.size(), 3u);
    EXPECT_EQ(log.rows.back().at_s, 5);
    std::vector<MetricValue> many;
    for (std::size_t i = 0; i < GaugeLog::kMaxSeries; ++i) many.push_back({.name = "m" + std::to_string(i), .labels = "", .value = 0});
    log.add(10, "http://s/metrics", many);
    EXPECT_EQ(log.series.size(), GaugeLog::kMaxSeries);
    EXPECT_EQ(log.dropped, 2u);
    EXPECT_EQ(gauges_csv({}), "");
}

}  // namespace
}  // namespace plimsoll::load
