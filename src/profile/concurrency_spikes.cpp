#include "profile/concurrency_spikes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace plimsoll::profile {
namespace {

// LLM and tool calls, each session's in the order of their start: indices in the graph.
using CallNumbers = std::vector<std::uint32_t>;

CallNumbers list_operations(const RunGraph& graph) {
    CallNumbers operations;
    for (const SessionRow& session : graph.sessions)
        for (const std::uint32_t i : graph.by_start_of(session))
            if (const auto at = static_cast<std::uint32_t>(session.first_call + i); is_operation(graph.calls[at].category))
                operations.push_back(at);
    return operations;
}

// Mean of the positive values of (spike, active call) pairs.
struct PairMean {
    std::int64_t active_sum = 0, active_count = 0;  // of the calls in flight now
    std::int64_t sum = 0, count = 0;

    void add_call(std::int64_t value, int by) {
        if (value <= 0) return;
        active_sum += by * value;
        active_count += by;
    }
    void note_spike() { sum += active_sum, count += active_count; }
    double value() const { return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count); }
};

// The calls that have a length, as a walk along the timeline meets them.
class ActiveCalls {
  public:
    ActiveCalls(const RunGraph& graph, const CallNumbers& operations) : graph_(graph), operations_(operations) {
        for (std::uint32_t i = 0; i < operations.size(); ++i)
            if (call(i).end > call(i).start) by_start_.push_back(i);
        by_end_ = by_start_;
        std::ranges::sort(by_start_, {}, [&](std::uint32_t i) { return call(i).start; });
        std::ranges::sort(by_end_, {}, [&](std::uint32_t i) { return call(i).end; });
    }

    // Those in flight just after `time`, which never gets smaller.
    void advance(double time) {
        for (; started_ < by_start_.size() && call(by_start_[started_]).start <= time; ++started_) {
            active_.insert(by_start_[started_]);
            count_tokens(by_start_[started_], 1);
        }
        for (; ended_ < by_end_.size() && call(by_end_[ended_]).end <= time; ++ended_) {
            active_.erase(by_end_[ended_]);
            count_tokens(by_end_[ended_], -1);
        }
    }

    void note_spike() {
        prompt_tokens.note_spike();
        total_tokens.note_spike();
    }

    std::size_t size() const { return active_.size(); }

    std::vector<std::string_view> list_uuids(bool merge_equal) const {
        std::vector<std::string_view> uuids;
        uuids.reserve(active_.size());
        for (const std::uint32_t i : active_) uuids.push_back(graph_.uuids[call(i).uuid]);
        if (merge_equal) {
            std::ranges::sort(uuids);
            const auto rest = std::ranges::unique(uuids);
            uuids.erase(rest.begin(), rest.end());
        }
        return uuids;
    }

    PairMean prompt_tokens, total_tokens;

  private:
    const Call& call(std::uint32_t i) const { return graph_.calls[operations_[i]]; }

    void count_tokens(std::uint32_t i, int by) {
        prompt_tokens.add_call(graph_.usage_of(call(i)).prompt_tokens, by);
        total_tokens.add_call(graph_.usage_of(call(i)).total_tokens, by);
    }

    const RunGraph& graph_;
    const CallNumbers& operations_;
    std::vector<std::uint32_t> by_start_, by_end_;
    std::set<std::uint32_t> active_;  // in the order of the operations
    std::size_t started_ = 0, ended_ = 0;
};

struct SpikeCounts {
    std::size_t spikes = 0, without_uuids = 0, listed_uuids = 0;
};

// Walks the segments once and writes each spike as it is met: all of them together are as long as the trace.
SpikeCounts write_spikes(const std::vector<Segment>& timeline, int threshold, const SpikeLimits& limits, ActiveCalls& active,
                         const AnalysisOutput& output) {
    SpikeCounts counts;
    output.metrics.begin_array();
    for (const Segment& segment : timeline) {
        active.advance(segment.start);
        if (segment.level < threshold) continue;
        active.note_spike();
        ++counts.spikes;
        std::vector<std::string_view> uuids;
        std::size_t active_calls = active.size();
        if (counts.listed_uuids + active.size() <= limits.listed_uuids) {
            uuids = active.list_uuids(limits.merge_equal);
            active_calls = uuids.size();
        } else {
            ++counts.without_uuids;
        }
        counts.listed_uuids += uuids.size();
        output.metrics.value({{"start_time", segment.start},
                              {"end_time", segment.end},
                              {"concurrency", segment.level},
                              {"active_uuids", json::array(uuids.begin(), uuids.end())}});
        if (counts.spikes > limits.report_lines) continue;
        output.report.append(fmt::format("{}) {:.2f}-{:.2f}, concurrency={}, length={:.2f}, #active_calls={}\n", counts.spikes,
                                         segment.start, segment.end, segment.level, segment.end - segment.start, active_calls));
    }
    output.metrics.end();
    if (counts.spikes == 0) output.report.append("No intervals exceed concurrency spike threshold.\n");
    if (counts.spikes > limits.report_lines)
        output.report.append(fmt::format("{} more: workflow_profiling_metrics.json has all.\n", counts.spikes - limits.report_lines));
    return counts;
}

std::map<int, double> compute_latency_by_level(const RunGraph& graph, const CallNumbers& operations, const std::vector<Segment>& timeline) {
    struct Sum {
        double seconds = 0;
        std::int64_t count = 0;
    };
    std::map<int, Sum> sums;
    for (const std::uint32_t at : operations) {
        const Call& call = graph.calls[at];
        if (!call.succeeded()) continue;
        Sum& sum = sums[call.end > call.start ? level_at(timeline, Interval{call.start, call.end}.midpoint()) : 0];
        sum.seconds += call.duration();
        ++sum.count;
    }
    std::map<int, double> means;
    for (const auto& [level, sum] : sums) means[level] = sum.seconds / static_cast<double>(sum.count);
    return means;
}

json::object to_json(const std::map<int, double>& by_level) {
    json::object out;
    for (const auto& [level, value] : by_level) out[std::to_string(level)] = value;
    return out;
}

}  // namespace

std::vector<Segment> compute_call_timeline(const RunGraph& graph) {
    std::vector<double> starts, ends;
    for (const Call& call : graph.calls) {
        if (!is_operation(call.category)) continue;
        starts.push_back(call.start);
        ends.push_back(call.end);
    }
    return compute_timeline(std::move(starts), std::move(ends));
}

void analyse_concurrency_spikes(const RunGraph& graph, int threshold, const SpikeLimits& limits, const AnalysisOutput& output) {
    const CallNumbers operations = list_operations(graph);
    const auto timeline = compute_call_timeline(graph);
    const auto seconds = compute_level_seconds(timeline);
    const double p50 = level_percentile(seconds, 50), p90 = level_percentile(seconds, 90), p95 = level_percentile(seconds, 95),
                 p99 = level_percentile(seconds, 99);
    const auto latency_by_level = compute_latency_by_level(graph, operations, timeline);

    TextStream& report = output.report;
    double total = 0;
    for (const auto& [level, time] : seconds) total += time;
    report.append(fmt::format("=== Concurrency Spike Analysis ===\nTotal calls in dataset: {}\n", operations.size()));
    report.append(
        fmt::format("Total time observed: {:.2f} units (sum of concurrency timeline)\n\n-- Concurrency Distribution --\n", total));
    for (const auto& [level, time] : seconds) report.append(fmt::format("  concurrency={}: {:.2f} time\n", level, time));
    report.append(fmt::format("\nPercentiles => p50={:.1f}, p90={:.1f}, p95={:.1f}, p99={:.1f}\nSpike threshold chosen: {}\n", p50, p90,
                              p95, p99, threshold));
    report.append("\n-- Detected Spike Intervals --\n");

    JsonStream& metrics = output.metrics;
    metrics.begin_object();
    metrics.member("concurrency_distribution", to_json(seconds));
    metrics.member("p50_concurrency", p50);
    metrics.member("p90_concurrency", p90);
    metrics.member("p95_concurrency", p95);
    metrics.member("p99_concurrency", p99);
    metrics.member("spike_threshold", threshold);
    metrics.key("spike_intervals");
    ActiveCalls active(graph, operations);
    const SpikeCounts counts = write_spikes(timeline, threshold, limits, active, output);
    const double prompt_tokens = active.prompt_tokens.value(), total_tokens = active.total_tokens.value();
    metrics.member("correlation_stats", {{"avg_prompt_tokens", prompt_tokens}, {"avg_total_tokens", total_tokens}});
    metrics.member("average_latency_by_concurrency", to_json(latency_by_level));
    if (counts.without_uuids > 0) metrics.member("plimsoll", {{"spikes_without_uuids", counts.without_uuids}});
    metrics.end();

    report.append(fmt::format("\n-- Correlation Stats for Spiked Calls --\nAvg prompt_tokens in spike calls: {:.1f}\n", prompt_tokens));
    report.append(fmt::format("Avg total_tokens in spike calls : {:.1f}\n\n-- Average Latency by Midpoint Concurrency --", total_tokens));
    if (latency_by_level.empty()) report.append("\nNo calls or no concurrency data.");
    for (const auto& [level, mean] : latency_by_level) report.append(fmt::format("\n  concurrency={} => avg_latency={:.2f}", level, mean));
}

}  // namespace plimsoll::profile
