// Looks at the machine every so often while a load run goes on, on a thread of its own.
//
//   Sampler sampler(options);      // takes the first counters and begins
//   …
//   SampleLog log = sampler.stop();
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/nvml.h"
#include "load/prometheus.h"
#include "load/sample.h"

namespace plimsoll::load {

struct SamplerOptions {
    double every_s = 1;
    std::vector<int> pids;                  // process trees; this process is always watched
    std::vector<int> children;              // process trees below this process that are watched apart from it: model servers
    std::vector<std::string> metrics_urls;  // Prometheus text of model servers and exporters
    std::filesystem::path proc = "/proc", cgroups = "/sys/fs/cgroup";
    bool gpus = true;
    std::string nvml = kNvmlLibrary;
};

// Gauges as the servers named them, also those that nothing here knows: a row when a value is new.
struct GaugeLog {
    static constexpr std::size_t kMaxSeries = 2'000, kMaxRows = 1'000'000;
    struct Series {
        std::string url, name, labels;
        double last = 0;
    };
    struct Row {
        double at_s = 0;
        std::size_t series = 0;
        double value = 0;
    };
    std::vector<Series> series;
    std::vector<Row> rows;
    std::size_t dropped = 0;  // values for which there was no room

    void add(double at_s, const std::string& url, const std::vector<MetricValue>& metrics);

  private:
    std::map<std::string, std::size_t> index_;  // of the series, by URL, name and labels
};

struct SampleLog {
    static constexpr std::size_t kMaxSamples = 100'000;

    std::deque<Sample> samples;  // at_s in seconds since the epoch until shift() is called
    std::size_t dropped = 0;     // the oldest ones, for which there was no room
    std::size_t failed_scrapes = 0;
    std::string scrape_error;                         // of the last one that failed, with its URL
    std::map<std::string, std::string> last_scrapes;  // by URL, as the server gave it, cut at kMaxScrapeText
    GaugeLog gauges;
    double own_cpu_share = 0;  // of one core, spent on looking

    void add(Sample sample);
    // From seconds since the epoch to seconds since `start`; samples before it are left out.
    void shift(double start);
    ServerSeen server_seen() const;
};

class Sampler {
  public:
    static constexpr std::size_t kMaxScrapeText = 1 << 20;

    explicit Sampler(SamplerOptions options);
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    // Takes a last look and ends. Once.
    SampleLog stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Rates from two looks at the counters, so that what a sample says can be tested without a clock.
struct Counters;
class SampleMaker {
  public:
    explicit SampleMaker(const SamplerOptions& options);
    ~SampleMaker();
    // `now` in seconds, ascending. Nothing for the first look.
    std::optional<Sample> look(double now);

  private:
    const SamplerOptions& options_;
    std::unique_ptr<Counters> last_;
};

// A table for spreadsheets: one line a sample, the watched processes, GPUs and model servers side by side.
std::string samples_csv(const SampleLog& log);
// "at_s,url,metric,labels,value"; empty when there is no gauge.
std::string gauges_csv(const GaugeLog& log);
// The last scrapes one after the other, each below a comment with its URL when there are several.
std::string last_scrapes_text(const SampleLog& log);

}  // namespace plimsoll::load
