#include "profile/simple_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/stats.h"
#include "profile/concurrency.h"

namespace plimsoll::profile {
namespace {

constexpr std::size_t kTopOperations = 3;

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

Operations collect_operations(const RunGraph& graph) {
    struct Group {
        std::vector<double> starts, ends, durations;
        void add(const Call& call) {
            starts.push_back(call.start);
            ends.push_back(call.end);
        }
        // A call without length overlaps nothing, yet it was in flight.
        int count_overlaps() { return std::max(1, max_level(compute_timeline(std::move(starts), std::move(ends)))); }
    };
    std::map<std::pair<std::string_view, std::string_view>, Group> groups;
    Group all;
    for (const SessionRow& session : graph.sessions)
        for (const std::uint32_t i : graph.by_start_of(session)) {
            const Call& call = graph.calls_of(session)[i];
            if (!is_operation(call.category) || !call.succeeded()) continue;
            Group& group = groups[{event::to_string(call.category), graph.name_of(call)}];
            group.add(call);
            group.durations.push_back(call.duration());
            all.add(call);
        }
    Operations operations;
    if (!all.starts.empty()) operations.max_concurrency = all.count_overlaps();
    for (auto& [key, group] : groups) {
        Operation operation{.type = std::string(key.first), .name = std::string(key.second)};
        operation.max_concurrency = group.count_overlaps();
        operation.mean_duration = mean(group.durations);
        operation.durations = std::move(group.durations);
        operations.list.push_back(std::move(operation));
    }
    return operations;
}

void analyse_simple_stack(const Operations& operations, const AnalysisOutput& output) {
    output.report.append(make_report(operations));
    output.metrics.begin_object();
    for (const auto& operation : operations.list)
        output.metrics.member(operation.type + ":" + operation.name, {{"operation_type", operation.type},
                                                                      {"operation_name", operation.name},
                                                                      {"usage_count", operation.durations.size()},
                                                                      {"avg_duration", operation.mean_duration},
                                                                      {"p95_duration", percentile(operation.durations, 95)},
                                                                      {"p99_duration", percentile(operation.durations, 99)},
                                                                      {"max_concurrency", operation.max_concurrency},
                                                                      {"bottleneck_score", operation.score()}});
    output.metrics.end();
}

}  // namespace plimsoll::profile
