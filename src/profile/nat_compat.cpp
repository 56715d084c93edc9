#include "profile/nat_compat.h"

#include <algorithm>
#include <map>
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

struct Node {
    event::Span span;
    std::optional<std::size_t> parent;  // in the session
    int depth = 0;
};

// Only the top is ever popped, so nodes in the order of their start are the tree in preorder.
std::vector<Node> run_stack_machine(const std::vector<Step>& steps, bool (*keep)(Category)) {
    std::vector<Node> nodes;
    std::vector<std::size_t> stack;
    std::unordered_map<std::string_view, std::size_t> open;
    for (const Step* step : sort_by_time(steps)) {
        const event::Payload& payload = step->payload;
        if (!keep(payload.event_type.category)) continue;
        if (payload.event_type.phase == Phase::start) {
            Node node{.span = open_node(*step), .depth = static_cast<int>(stack.size())};
            if (!stack.empty()) node.parent = stack.back();
            open[payload.uuid] = nodes.size();
            stack.push_back(nodes.size());
            nodes.push_back(std::move(node));
        } else if (payload.event_type.phase == Phase::end) {
            const auto found = open.find(payload.uuid);
            if (found == open.end()) continue;
            if (stack.back() == found->second) stack.pop_back();
            nodes[found->second].span.end = payload.event_timestamp;
            if (payload.usage_info) nodes[found->second].span.usage = payload.usage_info->token_usage;
            open.erase(found);
        }
    }
    return nodes;
}

struct TimedOperation {
    Category category;
    std::string_view name;
    Interval interval;
};

// By UUID, in byte order.
std::vector<TimedOperation> collect_timed_operations(const std::vector<event::SessionTrace>& sessions) {
    std::map<std::string_view, std::vector<const Step*>> groups;
    for (const auto& session : sessions)
        for (const auto& step : session.steps) groups[step.payload.uuid].push_back(&step);
    std::vector<TimedOperation> operations;
    for (auto& [uuid, rows] : groups) {
        std::ranges::stable_sort(rows, {}, time_of);
        const event::Payload& first = rows.front()->payload;
        if (!is_operation(first.event_type.category)) continue;
        std::optional<double> start, end;
        for (const Step* row : rows) {
            if (row->payload.event_type.category != first.event_type.category) continue;
            if (row->payload.event_type.phase == Phase::start && !start) start = time_of(row);
            if (row->payload.event_type.phase == Phase::end) end = time_of(row);
        }
        if (!start || !end) continue;
        const bool chunk = first.event_type.phase == Phase::chunk;  // NAT's table has no model on tokens
        operations.push_back({first.event_type.category, chunk || !first.name ? std::string_view() : *first.name, {*start, *end}});
    }
    return operations;
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

std::vector<double> compute_nat_latencies(const std::vector<event::SessionTrace>& sessions) {
    std::vector<double> latencies;
    for (const auto& session : sessions) {
        std::optional<double> start;
        for (const Step* step : sort_by_time(session.steps)) {
            if (step->payload.event_type == event::EventType{Category::llm, Phase::start}) start = time_of(step);
            if (step->payload.event_type != event::EventType{Category::llm, Phase::end} || !start) continue;
            latencies.push_back(time_of(step) - *start);
            start.reset();
        }
    }
    return latencies;
}

NatCalls make_nat_calls(const std::vector<event::SessionTrace>& sessions, bool (*keep)(Category)) {
    NatCalls calls;
    calls.spans.resize(sessions.size());
    for (std::size_t session = 0; session < sessions.size(); ++session) {
        auto nodes = run_stack_machine(sessions[session].steps, keep);
        auto& spans = calls.spans[session].spans;
        spans.reserve(nodes.size());
        const std::size_t first = calls.tree.size();
        for (auto& node : nodes) {
            spans.push_back(std::move(node.span));
            Call call{.span = &spans.back(), .session = session, .depth = node.depth, .end = spans.back().end};
            if (node.parent) call.parent = first + *node.parent;
            calls.tree.push_back(call);
        }
    }
    compute_call_times(calls.tree);
    return calls;
}

std::vector<event::SpanList> make_nat_siblings(const std::vector<event::SessionTrace>& sessions) {
    std::vector<event::SpanList> siblings(sessions.size());
    for (std::size_t session = 0; session < sessions.size(); ++session) {
        std::unordered_map<std::string_view, const Step*> starts, ends;
        for (const Step& step : sessions[session].steps) {
            if (!is_nested_call(step.payload.event_type.category)) continue;
            if (step.payload.event_type.phase == Phase::start) starts[step.payload.uuid] = &step;
            if (step.payload.event_type.phase == Phase::end) ends[step.payload.uuid] = &step;
        }
        for (const auto& [uuid, start] : starts) {
            const auto end = ends.find(uuid);
            if (end == ends.end()) continue;
            siblings[session].spans.push_back(open_node(*start));
            siblings[session].spans.back().end = time_of(end->second);
        }
    }
    return siblings;
}

Operations collect_nat_operations(const std::vector<event::SessionTrace>& sessions) {
    std::map<std::pair<std::string_view, std::string_view>, std::vector<double>> durations;  // by category and name
    std::map<std::string_view, std::vector<Interval>> by_name;                               // categories are not kept apart
    std::vector<Interval> all;
    for (const auto& operation : collect_timed_operations(sessions)) {
        durations[{event::to_string(operation.category), operation.name}].push_back(operation.interval.end - operation.interval.start);
        by_name[operation.name].push_back(operation.interval);
        all.push_back(operation.interval);
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
