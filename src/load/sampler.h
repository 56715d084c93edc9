// Looks at the machine every so often while a load run goes on, on a thread of its own.
//
//   Sampler sampler(options);      // takes the first counters and begins
//   …
//   SampleLog log = sampler.stop();
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/sample.h"

namespace plimsoll::load {

struct SamplerOptions {
    double every_s = 1;
    std::vector<int> pids;    // process trees; this process is always watched
    std::string metrics_url;  // Prometheus text of the model server; empty: none
    std::filesystem::path proc = "/proc", cgroups = "/sys/fs/cgroup";
    bool gpus = true;
};

struct SampleLog {
    std::deque<Sample> samples;  // at_s in seconds since the epoch until shift() is called
    std::size_t dropped = 0;     // the oldest ones, for which there was no room
    std::size_t failed_scrapes = 0;
    std::string scrape_error;  // of the last one that failed
    std::string last_scrape;   // as the server gave it, cut at kMaxScrapeText
    double own_cpu_share = 0;  // of one core, spent on looking

    // From seconds since the epoch to seconds since `start`; samples before it are left out.
    void shift(double start);
    ServerSeen server_seen() const;
};

class Sampler {
  public:
    static constexpr std::size_t kMaxSamples = 100'000;
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

// A table for spreadsheets: one line a sample, the watched processes side by side.
std::string samples_csv(const SampleLog& log);

}  // namespace plimsoll::load
