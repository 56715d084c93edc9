#include "profile/concurrency_spikes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace plimsoll::profile {
namespace {

struct FlatCall {
    const event::Span* span;
    Interval interval;
};

std::vector<FlatCall> collect_calls(const TraceView& view) {
    std::vector<FlatCall> calls;
    for (const auto& session : view.spans)
        for (const auto& span : session.spans)
            if (span.category == event::Category::llm || span.category == event::Category::tool)
                calls.push_back({&span, {span.start, std::max(span.start, span.end)}});
    return calls;
}

std::vector<Segment> compute_timeline(const std::vector<FlatCall>& calls) {
    std::vector<Interval> intervals;
    intervals.reserve(calls.size());
    for (const auto& call : calls) intervals.push_back(call.interval);
    return compute_timeline(intervals);
}

struct Spike {
    Segment segment;
    std::vector<std::string_view> uuids;  // in the order of the calls
    std::size_t active_calls = 0;
};

std::vector<std::string_view> list_uuids(const std::vector<FlatCall>& calls, const std::set<std::size_t>& active, bool merge_equal) {
    std::vector<std::string_view> uuids;
    uuids.reserve(active.size());
    for (const std::size_t i : active) uuids.push_back(calls[i].span->uuid);
    if (merge_equal) {
        std::ranges::sort(uuids);
        const auto rest = std::ranges::unique(uuids);
        uuids.erase(rest.begin(), rest.end());
    }
    return uuids;
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

struct Spikes {
    std::vector<Spike> list;
    PairMean prompt_tokens, total_tokens;
    std::size_t without_uuids = 0;
};

// Walks the segments once; calls enter and leave the set of active ones as the walk passes their ends.
Spikes find_spikes(const std::vector<FlatCall>& calls, const std::vector<Segment>& timeline, int threshold, UuidLists lists) {
    std::vector<std::size_t> by_start, by_end;
    for (std::size_t i = 0; i < calls.size(); ++i)
        if (calls[i].interval.end > calls[i].interval.start) by_start.push_back(i);
    by_end = by_start;
    std::ranges::sort(by_start, {}, [&](std::size_t i) { return calls[i].interval.start; });
    std::ranges::sort(by_end, {}, [&](std::size_t i) { return calls[i].interval.end; });

    Spikes spikes;
    std::set<std::size_t> active;
    const auto count_tokens = [&](std::size_t i, int by) {
        spikes.prompt_tokens.add_call(calls[i].span->usage.prompt_tokens, by);
        spikes.total_tokens.add_call(calls[i].span->usage.total_tokens, by);
    };
    std::size_t listed = 0, started = 0, ended = 0;
    for (const Segment& segment : timeline) {
        for (; started < by_start.size() && calls[by_start[started]].interval.start <= segment.start; ++started) {
            active.insert(by_start[started]);
            count_tokens(by_start[started], 1);
        }
        for (; ended < by_end.size() && calls[by_end[ended]].interval.end <= segment.start; ++ended) {
            active.erase(by_end[ended]);
            count_tokens(by_end[ended], -1);
        }
        if (segment.level < threshold) continue;
        spikes.prompt_tokens.note_spike();
        spikes.total_tokens.note_spike();
        Spike spike{segment, {}, active.size()};
        if (listed + active.size() <= lists.max_listed) {
            spike.uuids = list_uuids(calls, active, lists.merge_equal);
            spike.active_calls = spike.uuids.size();
        } else {
            ++spikes.without_uuids;
        }
        listed += spike.uuids.size();
        spikes.list.push_back(std::move(spike));
    }
    return spikes;
}

std::map<int, double> compute_latency_by_level(const std::vector<FlatCall>& calls, const std::vector<Segment>& timeline) {
    struct Sum {
        double seconds = 0;
        std::int64_t count = 0;
    };
    std::map<int, Sum> sums;
    for (const auto& call : calls) {
        if (!succeeded(*call.span)) continue;
        const bool has_length = call.interval.end > call.interval.start;
        Sum& sum = sums[has_length ? level_at(timeline, call.interval.midpoint()) : 0];
        sum.seconds += call.interval.end - call.interval.start;
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

// Takes the lists apart as it goes: they are the largest part of the analysis, and would be there twice.
json::array to_json(std::vector<Spike> spikes) {
    json::array out;
    out.reserve(spikes.size());
    for (auto& spike : spikes) {
        const auto uuids = std::exchange(spike.uuids, {});
        out.push_back({{"start_time", spike.segment.start},
                       {"end_time", spike.segment.end},
                       {"concurrency", spike.segment.level},
                       {"active_uuids", json::array(uuids.begin(), uuids.end())}});
    }
    return out;
}

struct LevelPercentiles {
    double p50, p90, p95, p99;
};

std::string make_report(std::size_t calls, const std::map<int, double>& seconds, const LevelPercentiles& levels, int threshold,
                        const Spikes& spikes, const std::map<int, double>& latency_by_level) {
    std::string out;
    const auto to = std::back_inserter(out);
    double total = 0;
    for (const auto& [level, time] : seconds) total += time;
    fmt::format_to(to, "=== Concurrency Spike Analysis ===\nTotal calls in dataset: {}\n", calls);
    fmt::format_to(to, "Total time observed: {:.2f} units (sum of concurrency timeline)\n\n-- Concurrency Distribution --\n", total);
    for (const auto& [level, time] : seconds) fmt::format_to(to, "  concurrency={}: {:.2f} time\n", level, time);
    fmt::format_to(to, "\nPercentiles => p50={:.1f}, p90={:.1f}, p95={:.1f}, p99={:.1f}\nSpike threshold chosen: {}\n", levels.p50,
                   levels.p90, levels.p95, levels.p99, threshold);
    out += "\n-- Detected Spike Intervals --\n";
    if (spikes.list.empty()) out += "No intervals exceed concurrency spike threshold.\n";
    for (std::size_t i = 0; i < spikes.list.size(); ++i) {
        const Segment& segment = spikes.list[i].segment;
        fmt::format_to(to, "{}) {:.2f}-{:.2f}, concurrency={}, length={:.2f}, #active_calls={}\n", i + 1, segment.start, segment.end,
                       segment.level, segment.end - segment.start, spikes.list[i].active_calls);
    }
    fmt::format_to(to, "\n-- Correlation Stats for Spiked Calls --\nAvg prompt_tokens in spike calls: {:.1f}\n",
                   spikes.prompt_tokens.value());
    fmt::format_to(to, "Avg total_tokens in spike calls : {:.1f}\n\n-- Average Latency by Midpoint Concurrency --",
                   spikes.total_tokens.value());
    if (latency_by_level.empty()) out += "\nNo calls or no concurrency data.";
    for (const auto& [level, seconds_mean] : latency_by_level)
        fmt::format_to(to, "\n  concurrency={} => avg_latency={:.2f}", level, seconds_mean);
    return out;
}

}  // namespace

std::vector<Segment> compute_call_timeline(const TraceView& view) { return compute_timeline(collect_calls(view)); }

AnalysisOutput analyse_concurrency_spikes(const TraceView& view, int threshold, UuidLists lists) {
    const auto calls = collect_calls(view);
    const auto timeline = compute_timeline(calls);
    const auto seconds = compute_level_seconds(timeline);
    const LevelPercentiles levels{level_percentile(seconds, 50), level_percentile(seconds, 90), level_percentile(seconds, 95),
                                  level_percentile(seconds, 99)};
    Spikes spikes = find_spikes(calls, timeline, threshold, lists);
    const auto latency_by_level = compute_latency_by_level(calls, timeline);

    AnalysisOutput output;
    output.report = make_report(calls.size(), seconds, levels, threshold, spikes, latency_by_level);
    output.metrics = {
        {"concurrency_distribution", to_json(seconds)},
        {"p50_concurrency", levels.p50},
        {"p90_concurrency", levels.p90},
        {"p95_concurrency", levels.p95},
        {"p99_concurrency", levels.p99},
        {"spike_threshold", threshold},
        {"spike_intervals", to_json(std::move(spikes.list))},
        {"correlation_stats", {{"avg_prompt_tokens", spikes.prompt_tokens.value()}, {"avg_total_tokens", spikes.total_tokens.value()}}},
        {"average_latency_by_concurrency", to_json(latency_by_level)}};
    if (spikes.without_uuids > 0) output.metrics["plimsoll"] = {{"spikes_without_uuids", spikes.without_uuids}};
    return output;
}

}  // namespace plimsoll::profile
