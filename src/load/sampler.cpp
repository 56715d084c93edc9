#include "load/sampler.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_client.h"

namespace plimsoll::load {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kScrapeTimeout{5};

double thread_cpu_s() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

struct Sampler::Impl {
    explicit Impl(SamplerOptions own_options) : options(std::move(own_options)), maker(options), timer(context) {
        thread = std::jthread([this] { run(); });
    }

    void run() {
        if (options.gpus) nvml = Nvml::open(options.nvml);
        asio::co_spawn(context, loop(), [](const std::exception_ptr& error) {
            if (error) std::rethrow_exception(error);
        });
        const double start = clock();
        try {
            context.run();
        } catch (const std::exception& e) {
            log_warning("watching the machine ended: {}", e.what());
        }
        if (const double took = clock() - start; took > 0) log.own_cpu_share = thread_cpu_s() / took;
    }

    asio::awaitable<void> loop() {
        std::ignore = maker.look(clock());
        auto due = std::chrono::steady_clock::now();
        do {
            due += std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(options.every_s));
            timer.expires_at(due);
            if (!stopping) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
            co_await look();
        } while (!stopping);
    }

    asio::awaitable<void> look() {
        auto sample = maker.look(clock());
        if (!sample) co_return;
        if (nvml) sample->gpus = nvml->read();
        if (!options.metrics_urls.empty()) co_await scrape_all(*sample);
        log.add(std::move(*sample));
    }

    // At once, so that one server that does not answer does not make the others' figures late.
    asio::awaitable<void> scrape_all(Sample& sample) {
        std::vector<Scrape> scrapes(options.metrics_urls.size());
        std::size_t left = scrapes.size();
        asio::steady_timer all_done(context, asio::steady_timer::time_point::max());
        for (std::size_t i = 0; i < scrapes.size(); ++i)
            asio::co_spawn(context, scrape(options.metrics_urls[i], sample.at_s, scrapes[i]), [&](const std::exception_ptr& error) {
                if (error) log_warning("a look at the metrics failed");
                if (--left == 0) all_done.cancel();
            });
        if (left > 0) co_await all_done.async_wait(asio::as_tuple(asio::use_awaitable));
        std::vector<std::optional<ServerSample>> servers;
        std::vector<GpuSample> gpus;
        for (Scrape& one : scrapes) {
            servers.push_back(one.server);
            // Two exporters may both have a GPU of the same number.
            for (GpuSample& gpu : one.gpus) {
                while (std::ranges::find(gpus, gpu.index, &GpuSample::index) != gpus.end()) ++gpu.index;
                gpus.push_back(gpu);
            }
        }
        sample.server = add_up(servers);
        if (!gpus.empty()) sample.gpus = std::move(gpus);
        if (std::ranges::count_if(servers, [](const auto& server) { return server.has_value(); }) > 1) sample.servers = std::move(servers);
    }

    struct Scrape {
        std::optional<ServerSample> server;
        std::vector<GpuSample> gpus;
    };

    asio::awaitable<void> scrape(const std::string& url, double at_s, Scrape& out) {
        auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
        const auto response = co_await client.send({.url = url, .deadline = Deadline::after(kScrapeTimeout)});
        if (!response || response->status != 200) {
            ++log.failed_scrapes;
            log.scrape_error = url + ": " + (response ? "HTTP " + std::to_string(response->status) : response.error().message);
            co_return;
        }
        const auto metrics = parse_prometheus(response->body);
        out.server = read_server(metrics);
        out.gpus = read_dcgm(metrics);
        log.gauges.add(at_s, url, metrics);
        log.last_scrapes[url] = response->body.substr(0, kMaxScrapeText);
    }

    SamplerOptions options;
    SampleMaker maker;
    std::unique_ptr<Nvml> nvml;
    WallClock clock = system_clock();
    asio::io_context context{1};
    asio::steady_timer timer;
    bool stopping = false;
    SampleLog log;
    std::jthread thread;  // last: it uses all of the above
};

Sampler::Sampler(SamplerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Sampler::~Sampler() {
    if (impl_->thread.joinable()) stop();
}

SampleLog Sampler::stop() {
    asio::post(impl_->context, [impl = impl_.get()] {
        impl->stopping = true;
        impl->timer.cancel();
    });
    impl_->thread.join();
    return std::move(impl_->log);
}

void SampleLog::add(Sample sample) {
    if (samples.size() == kMaxSamples) {
        samples.pop_front();
        ++dropped;
    }
    samples.push_back(std::move(sample));
}

void SampleLog::shift(double start) {
    std::erase_if(samples, [start](const Sample& sample) { return sample.at_s < start; });
    for (Sample& sample : samples) sample.at_s -= start;
    // A value that was there before is the one at the start.
    for (GaugeLog::Row& row : gauges.rows) row.at_s = std::max(0.0, row.at_s - start);
}

ServerSeen SampleLog::server_seen() const {
    ServerSeen seen;
    for (const Sample& sample : samples) {
        if (!sample.server || !sample.server->running) continue;
        ++seen.looks;
        seen.peak = std::max(seen.peak.value_or(0), *sample.server->running + sample.server->waiting.value_or(0));
    }
    return seen;
}

}  // namespace plimsoll::load
