// Counts of a load run, made from its records on one thread.
//
// Two clocks stand side by side. `latency` and `ttft` count from the moment the plan wanted the call to start: what a user sees who does
// not wait for the tester. `raw_latency` counts from when the call was sent, as most tools do; under a stalled server it forgets all who
// would have come meanwhile (coordinated omission).
//
// Sessions whose intended start lies in the warm-up do not count. Rates are over the calls that ended between the warm-up and the end of
// the starts, so that neither the ramp nor the drain dilutes them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/json.h"
#include "load/plan.h"
#include "load/record.h"
#include "load/threshold.h"

namespace plimsoll::load {

// "http 503", "timeout", "unfinished", …
std::string error_kind(const CallRecord& call);

// One second of the run.
struct Second {
    std::uint64_t started = 0, ended = 0, failed = 0, tokens = 0;
    std::uint64_t unreachable = 0;  // of the failed ones, those that could not connect
    int open = 0;                   // calls in flight at its last look
    double p50 = 0, p95 = 0;        // latency in seconds of the calls that ended in it
    std::vector<float> latencies;   // until it is closed
};

struct ErrorCount {
    std::uint64_t count = 0;
    std::string example;  // the first one's words
};

class LoadStats {
  public:
    static constexpr std::size_t kMaxErrorKinds = 50;        // further ones count as "other"
    static constexpr std::size_t kMaxSeconds = 24uz * 3600;  // of the timeline; calls later are in everything else

    explicit LoadStats(const LoadPlan& plan) : warmup_(plan.warmup) {}

    void add(const SessionRecord& session);
    void note_progress(const LoadProgress& progress);
    // After the last record; closes the timeline.
    void finish(const LoadOutcome& outcome);

    std::uint64_t calls() const { return calls_; }  // that count: finished well or not, or unfinished
    std::uint64_t failed() const { return failed_; }
    std::uint64_t unfinished() const { return unfinished_; }
    std::uint64_t sessions() const { return sessions_; }
    std::uint64_t prompt_tokens() const { return prompt_tokens_; }
    std::uint64_t tokens() const { return tokens_; }
    double error_rate() const;  // failed or unfinished, of all
    double window_s() const { return window_s_; }
    double rate() const;        // calls that went well a second; after finish()
    double token_rate() const;  // after finish()
    const DurationHistogram& of(Metric metric) const { return metrics_[static_cast<std::size_t>(metric)]; }
    // Calls that had a connection at once, at most. While every call could connect it is the load generator's own count; else the most
    // among those that did, seen every hundredth of a second. After finish().
    int peak_connected() const { return peak_connected_; }
    const DurationHistogram& raw_ttft() const { return raw_ttft_; }
    const std::map<std::string, ErrorCount>& errors() const { return errors_; }
    const std::vector<Second>& timeline() const { return seconds_; }
    // The second before the one of `now`, for a live view; null when there is none.
    const Second* last_full_second(Nanoseconds now) const;

    // The value a threshold is about; nothing when nothing was measured. After finish().
    std::optional<double> measure(const Threshold& threshold) const;

  private:
    static constexpr std::size_t kMetricCount = 6;

    void add_call(const CallRecord& call);
    void add_error(const CallRecord& call);
    Second* second_of(std::int64_t ns);
    void close_seconds(std::size_t before);
    void add_connection(const CallRecord& call);
    DurationHistogram& at(Metric metric) { return metrics_[static_cast<std::size_t>(metric)]; }

    // A call that ended well, for the rates: when, and how many tokens. Kept a hundredth of a second apart.
    struct Slice {
        std::uint64_t calls = 0, tokens = 0;
    };

    Nanoseconds warmup_;
    std::uint64_t calls_ = 0, failed_ = 0, unfinished_ = 0, sessions_ = 0, prompt_tokens_ = 0, tokens_ = 0, dropped_ = 0;
    double window_s_ = 0, in_window_ = 0, tokens_in_window_ = 0;
    DurationHistogram metrics_[kMetricCount];
    DurationHistogram raw_ttft_;
    std::map<std::string, ErrorCount> errors_;
    std::vector<Second> seconds_;
    std::size_t closed_ = 0;  // seconds_ before it have their percentiles
    std::vector<Slice> slices_;
    bool all_connected_ = true;
    std::vector<std::int32_t> connection_changes_;  // of the number of connected calls, a hundredth of a second apart
    int peak_connected_ = 0;
};

}  // namespace plimsoll::load
