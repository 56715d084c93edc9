#include "profile/nat_compat.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/stats.h"
#include "profile/concurrency.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;
using event::Step;

double time_of(const Step* step) { return step->payload.event_timestamp; }

std::vector<const Step*> sort_by_time(const std::vector<Step>& steps) {
    std::vector<const Step*> order;
    order.reserve(steps.size());
    for (const auto& step : steps) order.push_back(&step);
    std::ranges::stable_sort(order, {}, time_of);
    return order;
}

std::string node_name(const Step& step) {
    const Category category = step.payload.event_type.category;
    const std::string& name = is_operation(category) ? step.payload.name.value_or("") : step.function_ancestry.function_name;
    if (!name.empty()) return name;
    return category == Category::llm ? "unknown_llm" : category == Category::tool ? "unknown_tool" : "unknown_function";
}

event::Span open_node(const Step& step) {
    event::Span span;
    span.uuid = step.payload.uuid;
    span.parent_id = step.parent_id;
    span.category = step.payload.event_type.category == Category::span ? Category::function : step.payload.event_type.category;
    span.name = node_name(step);
    span.function = step.function_ancestry;
    span.start = span.end = step.payload.event_timestamp;
    span.finished = true;
    return span;
}

// Only the top is ever popped, so nodes in the order of their start are the tree in preorder.
struct Nodes {
    std::vector<event::Span> spans;
    std::vector<std::uint32_t> parents;
};

Nodes run_stack_machine(const std::vector<Step>& steps, bool (*keep)(Category)) {
    Nodes nodes;
    std::vector<std::uint32_t> stack;
    std::unordered_map<std::string_view, std::uint32_t> open;
    for (const Step* step : sort_by_time(steps)) {
        const event::Payload& payload = step->payload;
        if (!keep(payload.event_type.category)) continue;
        if (payload.event_type.phase == Phase::start) {
            const auto number = static_cast<std::uint32_t>(nodes.spans.size());
            nodes.spans.push_back(open_node(*step));
            nodes.parents.push_back(stack.empty() ? kNoCall : stack.back());
            open[payload.uuid] = number;
            stack.push_back(number);
        } else if (payload.event_type.phase == Phase::end) {
            const auto found = open.find(payload.uuid);
            if (found == open.end()) continue;
            if (stack.back() == found->second) stack.pop_back();
            event::Span& span = nodes.spans[found->second];
            span.end = payload.event_timestamp;
            if (payload.usage_info) span.usage = payload.usage_info->token_usage;
            open.erase(found);
        }
    }
    return nodes;
}

// At equal times the order of insertion decides.
int count_nat_overlaps(const std::vector<Interval>& intervals) {
    struct Change {
        double time;
        int by;
    };
    std::vector<Change> changes;
    changes.reserve(2 * intervals.size());
    for (const auto& interval : intervals) {
        changes.push_back({interval.start, 1});
        changes.push_back({interval.end, -1});
    }
    std::ranges::stable_sort(changes, {}, &Change::time);
    int level = 0, highest = 0;
    for (const auto& change : changes) {
        level += change.by;
        highest = std::max(highest, level);
    }
    return highest;
}

}  // namespace

std::vector<double> compute_nat_latencies(const std::vector<Step>& steps) {
    std::vector<double> latencies;
    std::optional<double> start;
    for (const Step* step : sort_by_time(steps)) {
        if (step->payload.event_type == event::EventType{Category::llm, Phase::start}) start = time_of(step);
        if (step->payload.event_type != event::EventType{Category::llm, Phase::end} || !start) continue;
        latencies.push_back(time_of(step) - *start);
        start.reset();
    }
    return latencies;
}

void add_nat_session(RunGraph& graph, const event::SessionTrace& session, bool (*keep)(Category)) {
    const Nodes nodes = run_stack_machine(session.steps, keep);
    std::vector<RunGraph::NewCall> calls;
    calls.reserve(nodes.spans.size());
    for (std::size_t i = 0; i < nodes.spans.size(); ++i) calls.push_back({&nodes.spans[i], nodes.parents[i]});
    graph.add(session, calls);
}

std::vector<event::Span> find_nat_siblings(const std::vector<Step>& steps) {
    std::unordered_map<std::string_view, const Step*> starts, ends;
    for (const Step& step : steps) {
        if (!is_nested_call(step.payload.event_type.category)) continue;
        if (step.payload.event_type.phase == Phase::start) starts[step.payload.uuid] = &step;
        if (step.payload.event_type.phase == Phase::end) ends[step.payload.uuid] = &step;
    }
    std::vector<event::Span> siblings;
    for (const auto& [uuid, start] : starts) {
        const auto end = ends.find(uuid);
        if (end == ends.end()) continue;
        siblings.push_back(open_node(*start));
        siblings.back().end = time_of(end->second);
    }
    return siblings;
}

// Of a UUID that occurs in several sessions the earliest step counts, of equal ones that which was added first.
void NatOperations::add(const std::vector<Step>& steps) {
    std::map<std::pair<std::string_view, Category>, std::size_t> rows;  // of this session
    for (const Step& step : steps) {
        const event::Payload& payload = step.payload;
        const auto [found, is_new] = rows.try_emplace({payload.uuid, payload.event_type.category}, rows_.size());
        if (is_new) rows_.push_back({.uuid = uuids_.add(payload.uuid), .category = payload.event_type.category});
        Row& row = rows_[found->second];
        const double time = payload.event_timestamp;
        if (is_new || time < row.first_time) {
            const bool chunk = payload.event_type.phase == Phase::chunk;  // NAT's table has no model on tokens
            row.first_time = time;
            row.first_step = steps_ + static_cast<std::size_t>(&step - steps.data());
            row.name = names_.add(chunk || !payload.name ? std::string_view() : *payload.name);
        }
        if (payload.event_type.phase == Phase::start) row.start = std::isnan(row.start) ? time : std::min(row.start, time);
        if (payload.event_type.phase == Phase::end) row.end = std::isnan(row.end) ? time : std::max(row.end, time);
    }
    steps_ += steps.size();
}

// One operation a UUID, by UUID in byte order.
std::vector<NatOperations::Row> NatOperations::merge() const {
    std::vector<std::uint32_t> order(rows_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return uuids_[rows_[i].uuid]; });
    std::vector<Row> operations;
    for (std::size_t i = 0; i < order.size();) {
        std::size_t end = i;
        while (end < order.size() && uuids_[rows_[order[end]].uuid] == uuids_[rows_[order[i]].uuid]) ++end;
        const auto group = std::span(order).subspan(i, end - i);
        i = end;
        const auto earliest =
            std::ranges::min(group, {}, [&](std::uint32_t at) { return std::pair(rows_[at].first_time, rows_[at].first_step); });
        Row operation = rows_[earliest];
        if (!is_operation(operation.category)) continue;
        for (const std::uint32_t at : group) {
            const Row& row = rows_[at];
            if (row.category != operation.category) continue;
            // false for what is not known of either
            if (std::isnan(operation.start) || row.start < operation.start) operation.start = row.start;
            if (std::isnan(operation.end) || row.end > operation.end) operation.end = row.end;
        }
        if (!std::isnan(operation.start) && !std::isnan(operation.end)) operations.push_back(operation);
    }
    return operations;
}

Operations NatOperations::collect() const {
    std::map<std::pair<std::string_view, std::string_view>, std::vector<double>> durations;  // by category and name
    std::map<std::string_view, std::vector<Interval>> by_name;                               // categories are not kept apart
    std::vector<Interval> all;
    for (const Row& operation : merge()) {
        const std::string_view name = names_[operation.name];
        durations[{event::to_string(operation.category), name}].push_back(operation.end - operation.start);
        by_name[name].push_back({operation.start, operation.end});
        all.push_back({operation.start, operation.end});
    }
    Operations operations{.max_concurrency = count_nat_overlaps(all)};
    for (auto& [key, seconds] : durations) {
        Operation operation{.type = std::string(key.first), .name = std::string(key.second)};
        operation.mean_duration = mean(seconds);
        operation.durations = std::move(seconds);
        operation.max_concurrency = count_nat_overlaps(by_name[key.second]);
        operations.list.push_back(std::move(operation));
    }
    return operations;
}

}  // namespace plimsoll::profile
