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
#include "load/nvml.h"
#include "load/prometheus.h"
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
        if (options.gpus) nvml = Nvml::open();
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
        if (!options.metrics_url.empty()) co_await scrape(*sample);
        if (log.samples.size() == kMaxSamples) {
            log.samples.pop_front();
            ++log.dropped;
        }
        log.samples.push_back(std::move(*sample));
    }

    asio::awaitable<void> scrape(Sample& sample) {
        auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
        const auto response = co_await client.send({.url = options.metrics_url, .deadline = Deadline::after(kScrapeTimeout)});
        if (!response || response->status != 200) {
            ++log.failed_scrapes;
            log.scrape_error = response ? "HTTP " + std::to_string(response->status) : response.error().message;
            co_return;
        }
        const auto metrics = parse_prometheus(response->body);
        sample.server = read_server(metrics);
        auto gpus = read_dcgm(metrics);
        if (!gpus.empty()) sample.gpus = std::move(gpus);
        log.last_scrape = response->body.substr(0, kMaxScrapeText);
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

void SampleLog::shift(double start) {
    std::erase_if(samples, [start](const Sample& sample) { return sample.at_s < start; });
    for (Sample& sample : samples) sample.at_s -= start;
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
