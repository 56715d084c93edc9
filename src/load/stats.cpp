#include "load/stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/stats.h"

namespace plimsoll::load {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kSliceNs = kSecondNs / 100;
constexpr std::size_t kMaxSlices = LoadStats::kMaxSeconds * (kSecondNs / kSliceNs);
// Records come at most this much after the end they tell of.
constexpr std::size_t kOpenSeconds = 2;

}  // namespace

std::string error_kind(const CallRecord& call) {
    if (call.unfinished) return "unfinished";
    if (!call.error) return "";
    if (call.error->code == ErrorCode::http_status && call.error->http_status > 0) return fmt::format("http {}", call.error->http_status);
    return std::string(to_string(call.error->code));
}

void LoadStats::add(const SessionRecord& session) {
    if (Second* second = second_of(session.start)) ++second->started;
    for (const CallRecord& call : session.calls) add_call(call);
    if (session.intended < warmup_.count()) return;
    ++sessions_;
    at(Metric::schedule_error).record(Nanoseconds(session.start - session.intended));
    const bool failed = std::ranges::any_of(session.calls, [](const CallRecord& call) { return call.error.has_value(); });
    if (!session.unfinished && !failed) at(Metric::session).record(Nanoseconds(session.end - session.intended));
}

void LoadStats::add_call(const CallRecord& call) {
    const bool well = !call.error && !call.unfinished;
    if (Second* second = second_of(call.end)) {
        ++second->ended;
        second->failed += well ? 0 : 1;
        second->unreachable += call.error && call.error->code == ErrorCode::connect ? 1 : 0;
        second->tokens += static_cast<std::uint64_t>(call.tokens());
        if (well) second->latencies.push_back(static_cast<float>(1e-9 * static_cast<double>(call.end - call.intended)));
    }
    if (well) {
        const auto slice = static_cast<std::size_t>(call.end / kSliceNs);
        if (slice < kMaxSlices) {
            if (slice >= slices_.size()) slices_.resize(slice + 1);
            ++slices_[slice].calls;
            slices_[slice].tokens += static_cast<std::uint64_t>(call.tokens());
        }
    }
    add_connection(call);
    if (call.intended < warmup_.count()) return;
    ++calls_;
    failed_ += call.error ? 1 : 0;
    unfinished_ += call.unfinished ? 1 : 0;
    if (call.error || call.unfinished) add_error(call);
    if (call.first >= 0) {
        at(Metric::ttft).record(Nanoseconds(call.first - call.intended));
        raw_ttft_.record(Nanoseconds(call.first - call.start));
    }
    for (std::size_t i = 1; i < call.token_us.size(); ++i)
        at(Metric::itl).record(std::chrono::microseconds(call.token_us[i] - call.token_us[i - 1]));
    if (!well) return;
    prompt_tokens_ += static_cast<std::uint64_t>(std::max<std::int64_t>(0, call.prompt_tokens));
    tokens_ += static_cast<std::uint64_t>(call.tokens());
    at(Metric::latency).record(Nanoseconds(call.end - call.intended));
    at(Metric::raw_latency).record(Nanoseconds(call.end - call.start));
}

void LoadStats::add_connection(const CallRecord& call) {
    if (call.error && call.error->code == ErrorCode::connect) {
        all_connected_ = false;
        return;
    }
    // The moments at which it is seen: those of the grid in (start, end].
    const auto first_after = [](std::int64_t ns) { return static_cast<std::size_t>(std::max<std::int64_t>(0, ns) / kSliceNs) + 1; };
    const std::size_t begin = first_after(call.start), end = first_after(call.end);
    if (begin == end || end > kMaxSlices) return;
    if (end >= connection_changes_.size()) connection_changes_.resize(end + 1);
    ++connection_changes_[begin];
    --connection_changes_[end];
}

void LoadStats::add_error(const CallRecord& call) {
    std::string kind = error_kind(call);
    if (errors_.size() >= kMaxErrorKinds && !errors_.contains(kind)) kind = "other";
    ErrorCount& error = errors_[kind];
    if (error.count++ == 0 && call.error) error.example = call.error->message;
}

Second* LoadStats::second_of(std::int64_t ns) {
    const auto index = static_cast<std::size_t>(std::max<std::int64_t>(0, ns) / kSecondNs);
    if (index >= kMaxSeconds) return nullptr;
    if (index >= seconds_.size()) seconds_.resize(index + 1);
    return &seconds_[index];
}

void LoadStats::close_seconds(std::size_t before) {
    for (; closed_ < std::min(before, seconds_.size()); ++closed_) {
        Second& second = seconds_[closed_];
        std::vector<double> latencies(second.latencies.begin(), second.latencies.end());
        std::ranges::sort(latencies);
        second.p50 = sorted_percentile(latencies, 50);
        second.p95 = sorted_percentile(latencies, 95);
        std::vector<float>().swap(second.latencies);
    }
}

void LoadStats::note_progress(const LoadProgress& progress) {
    if (Second* second = second_of(progress.elapsed.count())) second->open = progress.calls;
    const auto now = static_cast<std::size_t>(std::max<std::int64_t>(0, progress.elapsed.count()) / kSecondNs);
    if (now > kOpenSeconds) close_seconds(now - kOpenSeconds);
}

void LoadStats::finish(const LoadOutcome& outcome) {
    close_seconds(seconds_.size());
    dropped_ = outcome.dropped;
    int connected = 0;
    for (const std::int32_t change : connection_changes_) peak_connected_ = std::max(peak_connected_, connected += change);
    if (all_connected_ && outcome.lost_records == 0) peak_connected_ = outcome.peak_calls;
    const auto first = static_cast<std::size_t>(warmup_.count() / kSliceNs);
    const auto last = static_cast<std::size_t>(std::max<std::int64_t>(0, outcome.starts_end.count()) / kSliceNs) + 1;
    for (std::size_t i = first; i < std::min(last, slices_.size()); ++i) {
        in_window_ += static_cast<double>(slices_[i].calls);
        tokens_in_window_ += static_cast<double>(slices_[i].tokens);
    }
    window_s_ = std::max(0.0, to_seconds(outcome.starts_end - warmup_));
}

double LoadStats::error_rate() const { return calls_ == 0 ? 0 : static_cast<double>(failed_ + unfinished_) / static_cast<double>(calls_); }

double LoadStats::rate() const { return window_s_ > 0 ? in_window_ / window_s_ : 0; }

double LoadStats::token_rate() const { return window_s_ > 0 ? tokens_in_window_ / window_s_ : 0; }

const Second* LoadStats::last_full_second(Nanoseconds now) const {
    const auto index = now.count() / kSecondNs - 1;
    return index >= 0 && std::cmp_less(index, seconds_.size()) ? &seconds_[static_cast<std::size_t>(index)] : nullptr;
}

std::optional<double> LoadStats::measure(const Threshold& threshold) const {
    if (threshold.is_share) {
        switch (threshold.share) {
            case Share::error_rate: return calls_ == 0 ? std::nullopt : std::optional(error_rate());
            case Share::errors: return static_cast<double>(failed_ + unfinished_);
            case Share::rate: return rate();
            case Share::token_rate: return token_rate();
            case Share::dropped: return static_cast<double>(dropped_);
        }
    }
    const DurationHistogram& histogram = of(threshold.metric);
    if (histogram.count() == 0) return std::nullopt;
    switch (threshold.statistic) {
        case Statistic::percentile: return histogram.percentile(threshold.p);
        case Statistic::average: return histogram.mean();
        case Statistic::minimum: return histogram.min();
        case Statistic::maximum: return histogram.max();
    }
    return std::nullopt;
}

}  // namespace plimsoll::load
