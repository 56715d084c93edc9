#include "profile/simple_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/stats.h"
#include "profile/concurrency.h"

namespace plimsoll::profile {
namespace {

constexpr std::size_t kTopOperations = 3;

// A call without length overlaps nothing, yet it was in flight.
int count_overlaps(const std::vector<Interval>& intervals) { return std::max(1, max_level(compute_timeline(intervals))); }

std::string make_report(const Operations& operations) {
    if (operations.list.empty()) return "No operations found to profile.";
    std::vector<const Operation*> order;
    order.reserve(operations.list.size());
    for (const auto& operation : operations.list) order.push_back(&operation);
    std::ranges::stable_sort(order, std::greater(), [](const Operation* operation) { return operation->score(); });
    order.resize(std::min(order.size(), kTopOperations));

    std::string out = fmt::format(
        "---- BOTTLENECK REPORT ----\nTotal distinct operations found: {}\nOverall max concurrency (all ops): {}\n"
        "Top {} Bottlenecks by bottleneck_score (avg_duration * max_concurrency):",
        operations.list.size(), operations.max_concurrency, kTopOperations);
    for (std::size_t i = 0; i < order.size(); ++i)
        out += fmt::format("\n{}) {} '{}': score={:.2f}, avg_dur={:.2f}, max_concurrency={}", i + 1, order[i]->type, order[i]->name,
                           order[i]->score(), order[i]->mean_duration, order[i]->max_concurrency);
    return out;
}

}  // namespace

Operations collect_operations(const TraceView& view) {
    std::map<std::pair<std::string, std::string>, std::vector<Interval>> groups;
    std::vector<Interval> all;
    for (const auto& session : view.spans)
        for (const auto& span : session.spans) {
            if (span.category != event::Category::llm && span.category != event::Category::tool) continue;
            if (!succeeded(span)) continue;
            const Interval interval{span.start, std::max(span.start, span.end)};
            groups[{std::string(event::to_string(span.category)), span.name}].push_back(interval);
            all.push_back(interval);
        }
    Operations operations;
    if (!all.empty()) operations.max_concurrency = count_overlaps(all);
    for (const auto& [key, intervals] : groups) {
        Operation operation{.type = key.first, .name = key.second, .max_concurrency = count_overlaps(intervals)};
        for (const auto& interval : intervals) operation.durations.push_back(interval.end - interval.start);
        operation.mean_duration = mean(operation.durations);
        operations.list.push_back(std::move(operation));
    }
    return operations;
}

AnalysisOutput analyse_simple_stack(const Operations& operations) {
    AnalysisOutput output;
    output.report = make_report(operations);
    for (const auto& operation : operations.list)
        output.metrics[operation.type + ":" + operation.name] = {{"operation_type", operation.type},
                                                                 {"operation_name", operation.name},
                                                                 {"usage_count", operation.durations.size()},
                                                                 {"avg_duration", operation.mean_duration},
                                                                 {"p95_duration", percentile(operation.durations, 95)},
                                                                 {"p99_duration", percentile(operation.durations, 99)},
                                                                 {"max_concurrency", operation.max_concurrency},
                                                                 {"bottleneck_score", operation.score()}};
    return output;
}

}  // namespace plimsoll::profile
