#include "profile/nested_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include "profile/concurrency.h"

namespace plimsoll::profile {
namespace {

constexpr std::size_t kTopCalls = 5;

// SPAN steps are functions that a decorator tracks; NAT shows them as such.
std::string_view operation_type(event::Category category) {
    return event::to_string(category == event::Category::span ? event::Category::function : category);
}

json::object concurrency_to_json(const std::vector<Segment>& timeline) {
    json::array segments;
    segments.reserve(timeline.size());
    for (const auto& segment : timeline) segments.push_back(json::array{segment.start, segment.end, segment.level});
    const auto seconds = compute_level_seconds(timeline);
    return {{"timeline_segments", std::move(segments)},
            {"p50", level_percentile(seconds, 50)},
            {"p90", level_percentile(seconds, 90)},
            {"p95", level_percentile(seconds, 95)},
            {"p99", level_percentile(seconds, 99)}};
}

json::object call_to_json(const Call& call, double concurrency) {
    return {{"uuid", call.span->uuid},
            {"operation_type", operation_type(call.span->category)},
            {"operation_name", call_name(*call.span)},
            {"start_time", call.start()},
            {"end_time", call.end},
            {"duration", call.duration()},
            {"self_time", call.self_time},
            {"subtree_time", call.subtree_time},
            {"concurrency_midpoint", concurrency},
            {"bottleneck_score", call.subtree_time}};
}

// One call a UUID, the last, at the place of the first.
std::vector<std::size_t> merge_equal_uuids(const CallTree& tree) {
    std::vector<std::size_t> order;
    std::unordered_map<std::string_view, std::size_t> places;
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const auto [place, added] = places.try_emplace(tree[i].span->uuid, order.size());
        if (added)
            order.push_back(i);
        else
            order[place->second] = i;
    }
    return order;
}

std::vector<std::size_t> find_top_calls(const CallTree& tree, std::vector<std::size_t> order) {
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return tree[i].subtree_time; });
    order.resize(std::min(order.size(), kTopCalls));
    return order;
}

std::string make_report(const CallTree& tree, const json::object& concurrency, const std::vector<std::size_t>& top,
                        const std::vector<int>& levels) {
    std::string out;
    const auto to = std::back_inserter(out);
    const auto level = [&](std::string_view key) { return concurrency.at(key).get_double(); };
    fmt::format_to(to, "=== Multi-Example Nested Call Profiling Report ===\nTotal calls (across all examples): {}\n\n", tree.size());
    fmt::format_to(to, "-- Concurrency Distribution (all examples) --\np50={:.1f}, p90={:.1f}, p95={:.1f}, p99={:.1f}\n\n", level("p50"),
                   level("p90"), level("p95"), level("p99"));
    fmt::format_to(to, "-- Top {} Calls by Bottleneck Score (subtree_time) --\n", kTopCalls);
    for (std::size_t i = 0; i < top.size(); ++i) {
        const Call& call = tree[top[i]];
        fmt::format_to(to, "{}) UUID={}, {} '{}', dur={:.2f}, self_time={:.2f}, subtree_time={:.2f}, concurrency={}.0, score={:.2f}\n",
                       i + 1, call.span->uuid, operation_type(call.span->category), call_name(*call.span), call.duration(), call.self_time,
                       call.subtree_time, levels[top[i]], call.subtree_time);
    }
    out += "\n-- Full Tree(s) (All Examples) --";
    // A chain of thousands of calls would make the indentation alone quadratic.
    constexpr int kMaxIndent = 100;
    for (const Call& call : tree)
        fmt::format_to(to, "\n{:{}}- {} '{}' (uuid={}, start={:.2f}, end={:.2f}, dur={:.2f})", "", 2 * std::min(call.depth, kMaxIndent),
                       operation_type(call.span->category), call_name(*call.span), call.span->uuid, call.start(), call.end,
                       call.duration());
    return out;
}

}  // namespace

AnalysisOutput analyse_nested_stack(const CallTree& tree) {
    std::vector<Interval> intervals;
    intervals.reserve(tree.size());
    for (const Call& call : tree) intervals.push_back({call.start(), call.end});
    const auto timeline = compute_timeline(intervals);
    std::vector<int> levels;
    levels.reserve(tree.size());
    for (const Interval& interval : intervals) levels.push_back(level_at(timeline, interval.midpoint()));

    AnalysisOutput output;
    json::object concurrency = concurrency_to_json(timeline);
    const auto unique = merge_equal_uuids(tree);
    const auto top = find_top_calls(tree, unique);
    output.report = tree.empty() ? "No calls found." : make_report(tree, concurrency, top, levels);

    json::object node_metrics;
    node_metrics.reserve(unique.size());
    for (const std::size_t i : unique) node_metrics[tree[i].span->uuid] = call_to_json(tree[i], levels[i]);
    json::array top_bottlenecks;
    for (const std::size_t i : top) top_bottlenecks.push_back(call_to_json(tree[i], levels[i]));
    output.metrics = {{"concurrency", std::move(concurrency)},
                      {"node_metrics", std::move(node_metrics)},
                      {"top_bottlenecks", std::move(top_bottlenecks)}};
    return output;
}

}  // namespace plimsoll::profile
