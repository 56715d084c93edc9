#include "profile/nested_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "profile/concurrency.h"

namespace plimsoll::profile {
namespace {

constexpr std::size_t kTopCalls = 5;

// Calls are numbered through all sessions in the order of their trees.
using Number = std::uint32_t;

// SPAN steps are functions that a decorator tracks; NAT shows them as such.
std::string_view operation_type(event::Category category) {
    return event::to_string(category == event::Category::span ? event::Category::function : category);
}

template <class Use>
void for_each_call(const RunGraph& graph, Use use) {
    Number number = 0;
    for (const SessionRow& session : graph.sessions)
        for (const Call& call : make_call_tree(graph, session, is_nested_call)) use(number++, call);
}

struct Concurrency {
    std::vector<Segment> timeline;
    double p50 = 0, p90 = 0, p95 = 0, p99 = 0;

    int at_midpoint(const Call& call) const { return level_at(timeline, Interval{call.start, call.end}.midpoint()); }
};

Concurrency compute_concurrency(const RunGraph& graph) {
    std::vector<double> starts, ends;
    for (const Call& call : graph.calls) {
        if (!is_nested_call(call.category)) continue;
        starts.push_back(call.start);
        ends.push_back(call.end);
    }
    Concurrency concurrency{.timeline = compute_timeline(std::move(starts), std::move(ends))};
    const auto seconds = compute_level_seconds(concurrency.timeline);
    concurrency.p50 = level_percentile(seconds, 50);
    concurrency.p90 = level_percentile(seconds, 90);
    concurrency.p95 = level_percentile(seconds, 95);
    concurrency.p99 = level_percentile(seconds, 99);
    return concurrency;
}

// One entry a UUID, the last call's, at the place of the first.
struct EqualUuids {
    std::map<Number, Call> shown;  // first call -> what stands in its place
    std::set<Number> left_out;     // the others
};

EqualUuids find_equal_uuids(const RunGraph& graph) {
    struct Entry {
        std::size_t hash;
        Number number;
    };
    std::vector<Entry> entries;
    for_each_call(graph, [&](Number number, const Call& call) {
        entries.push_back({std::hash<std::string_view>()(graph.uuids[call.uuid]), number});
    });
    std::ranges::stable_sort(entries, {}, &Entry::hash);
    std::map<Number, std::size_t> repeated;  // number -> hash
    for (std::size_t i = 1; i < entries.size(); ++i)
        if (entries[i].hash == entries[i - 1].hash)
            for (const Entry& entry : {entries[i - 1], entries[i]}) repeated.emplace(entry.number, entry.hash);
    EqualUuids equal;
    if (repeated.empty()) return equal;
    std::map<std::string_view, Number> first;
    for_each_call(graph, [&](Number number, const Call& call) {
        if (!repeated.contains(number)) return;
        const auto [found, is_new] = first.emplace(graph.uuids[call.uuid], number);
        if (is_new) return;
        equal.shown[found->second] = call;
        equal.left_out.insert(number);
    });
    return equal;
}

// Each call that has an entry of its own, in the order of the entries.
template <class Use>
void for_each_entry(const RunGraph& graph, const EqualUuids& equal, Use use) {
    for_each_call(graph, [&](Number number, const Call& call) {
        if (equal.left_out.contains(number)) return;
        const auto other = equal.shown.find(number);
        use(other == equal.shown.end() ? call : other->second);
    });
}

std::vector<Call> find_top_calls(const RunGraph& graph, const EqualUuids& equal) {
    std::vector<Call> top;
    for_each_entry(graph, equal, [&](const Call& call) {
        if (top.size() == kTopCalls && call.subtree_time <= top.back().subtree_time) return;
        top.insert(std::ranges::upper_bound(top, call.subtree_time, std::greater(), &Call::subtree_time), call);
        if (top.size() > kTopCalls) top.pop_back();
    });
    return top;
}

void write_concurrency(const Concurrency& concurrency, JsonStream& json) {
    json.begin_object();
    json.key("timeline_segments");
    json.begin_array();
    for (const auto& segment : concurrency.timeline) json.value(json::array{segment.start, segment.end, segment.level});
    json.end();
    json.member("p50", concurrency.p50);
    json.member("p90", concurrency.p90);
    json.member("p95", concurrency.p95);
    json.member("p99", concurrency.p99);
    json.end();
}

json::object call_to_json(const RunGraph& graph, const Call& call, double concurrency) {
    return {{"uuid", graph.uuids[call.uuid]},
            {"operation_type", operation_type(call.category)},
            {"operation_name", graph.shown_name(call)},
            {"start_time", call.start},
            {"end_time", call.end},
            {"duration", call.duration()},
            {"self_time", call.self_time},
            {"subtree_time", call.subtree_time},
            {"concurrency_midpoint", concurrency},
            {"bottleneck_score", call.subtree_time}};
}

void write_metrics(const RunGraph& graph, const Concurrency& concurrency, const EqualUuids& equal, const std::vector<Call>& top,
                   JsonStream& json) {
    json.begin_object();
    json.key("concurrency");
    write_concurrency(concurrency, json);
    json.key("node_metrics");
    json.begin_object();
    for_each_entry(graph, equal, [&](const Call& call) {
        json.member(graph.uuids[call.uuid], call_to_json(graph, call, concurrency.at_midpoint(call)));
    });
    json.end();
    json.key("top_bottlenecks");
    json.begin_array();
    for (const Call& call : top) json.value(call_to_json(graph, call, concurrency.at_midpoint(call)));
    json.end();
    json.end();
}

void write_report(const RunGraph& graph, std::size_t calls, const Concurrency& concurrency, const std::vector<Call>& top,
                  std::size_t max_tree_lines, TextStream& report) {
    report.append(fmt::format("=== Multi-Example Nested Call Profiling Report ===\nTotal calls (across all examples): {}\n\n", calls));
    report.append(fmt::format("-- Concurrency Distribution (all examples) --\np50={:.1f}, p90={:.1f}, p95={:.1f}, p99={:.1f}\n\n",
                              concurrency.p50, concurrency.p90, concurrency.p95, concurrency.p99));
    report.append(fmt::format("-- Top {} Calls by Bottleneck Score (subtree_time) --\n", kTopCalls));
    for (std::size_t i = 0; i < top.size(); ++i) {
        const Call& call = top[i];
        report.append(
            fmt::format("{}) UUID={}, {} '{}', dur={:.2f}, self_time={:.2f}, subtree_time={:.2f}, concurrency={}.0, score={:.2f}\n", i + 1,
                        graph.uuids[call.uuid], operation_type(call.category), graph.shown_name(call), call.duration(), call.self_time,
                        call.subtree_time, concurrency.at_midpoint(call), call.subtree_time));
    }
    report.append("\n-- Full Tree(s) (All Examples) --");
    // A chain of thousands of calls would make the indentation alone quadratic.
    constexpr std::uint32_t kMaxIndent = 100;
    std::string line;
    for_each_call(graph, [&](Number number, const Call& call) {
        if (number >= max_tree_lines) return;
        line.clear();
        fmt::format_to(std::back_inserter(line), "\n{:{}}- {} '{}' (uuid={}, start={:.2f}, end={:.2f}, dur={:.2f})", "",
                       2 * std::min(call.depth, kMaxIndent), operation_type(call.category), graph.shown_name(call), graph.uuids[call.uuid],
                       call.start, call.end, call.duration());
        report.append(line);
    });
    if (calls > max_tree_lines)
        report.append(fmt::format("\n{} more calls: node_metrics of workflow_profiling_metrics.json has all.", calls - max_tree_lines));
}

}  // namespace

void analyse_nested_stack(const RunGraph& graph, std::size_t max_tree_lines, const AnalysisOutput& output) {
    const Concurrency concurrency = compute_concurrency(graph);
    const EqualUuids equal = find_equal_uuids(graph);
    const auto top = find_top_calls(graph, equal);
    write_metrics(graph, concurrency, equal, top, output.metrics);
    const auto calls = std::ranges::count_if(graph.calls, is_nested_call, &Call::category);
    if (calls == 0)
        output.report.append("No calls found.");
    else
        write_report(graph, static_cast<std::size_t>(calls), concurrency, top, max_tree_lines, output.report);
}

}  // namespace plimsoll::profile
