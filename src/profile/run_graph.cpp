#include "profile/run_graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "profile/llm_timing.h"
#include "profile/retries.h"

namespace plimsoll::profile {
SessionRow make_session_row(const event::SessionTrace& session) {
    const auto& steps = session.steps;
    SessionRow row{.request_number = session.request_number, .steps = static_cast<std::uint32_t>(steps.size())};
    if (steps.empty()) return row;
    row.first_step = row.last_step = row.first_known = steps.front().payload.event_timestamp;
    for (const event::Step& step : steps) {
        const event::Payload& payload = step.payload;
        row.first_step = std::min(row.first_step, payload.event_timestamp);
        row.last_step = std::max(row.last_step, payload.event_timestamp);
        row.first_known = std::min({row.first_known, payload.event_timestamp, payload.span_event_timestamp.value_or(row.first_known)});
    }
    row.first_call_start = row.first_step;
    return row;
}

std::string to_string(const StepName& step) {
    std::string text = fmt::format("{} {}", event::to_string(step.category), step.name);
    if (!step.function.empty()) text += " in " + step.function;
    return text;
}

Call RunGraph::make_call(const event::Span& span) {
    Call call{.start = span.start, .end = std::max(span.start, span.end)};
    call.category = span.category;
    call.uuid = uuids.add(span.uuid);
    call.name = names.add(span.name);
    call.function = names.add(span.function.function_name);
    call.finished = span.finished;
    call.failed = span.error.has_value();
    call.cancelled = span.error && span.error->code == ErrorCode::cancelled;
    call.tokens = static_cast<std::uint32_t>(span.token_times.size());
    if (!span.token_times.empty()) call.first_token = span.token_times.front();
    for (std::size_t i = 1; i < span.token_times.size(); ++i)
        token_gaps.push_back(static_cast<float>(std::max(0.0, span.token_times[i] - span.token_times[i - 1])));
    const event::TokenUsage& usage = span.usage;
    if (usage.prompt_tokens != 0 || usage.completion_tokens != 0 || usage.cached_tokens != 0 || usage.total_tokens != 0) {
        call.usage = static_cast<std::uint32_t>(usages.size());
        usages.push_back(usage);
    }
    const std::string& name = shown_name(call);
    const bool places_itself = span.category == event::Category::function || span.category == event::Category::workflow;
    const bool outside = span.function.function_name == "root" || span.function.function_name == name;
    const bool by_itself = places_itself || outside;
    const auto [found, is_new] = step_numbers_.try_emplace({call.category, names.add(name), by_itself ? kNoCall : call.function},
                                                           static_cast<std::uint32_t>(steps.size()));
    if (is_new) steps.push_back({call.category, name, by_itself ? "" : span.function.function_name});
    call.step = found->second;
    return call;
}

SessionRow& RunGraph::add(const event::SessionTrace& session, std::span<const NewCall> new_calls) {
    SessionRow row = make_session_row(session);
    row.first_call = calls.size();
    row.calls = static_cast<std::uint32_t>(new_calls.size());
    std::vector<std::uint32_t> parents, places(new_calls.size());
    parents.reserve(new_calls.size());
    for (const NewCall& call : new_calls) parents.push_back(call.parent);
    const auto order = make_preorder(parents);
    for (std::uint32_t i = 0; i < order.size(); ++i) places[order[i]] = i;
    for (const std::uint32_t at : order) {
        Call& call = calls.emplace_back(make_call(*new_calls[at].span));
        if (parents[at] != kNoCall) call.parent = places[parents[at]];
        row.first_call_start = std::min(row.first_call_start, call.start);
    }
    by_start.insert(by_start.end(), places.begin(), places.end());
    complete_tree(std::span(calls).subspan(row.first_call));
    return sessions.emplace_back(row);
}

void add_session(RunGraph& graph, const event::SessionTrace& session, const event::SpanList& spans) {
    const auto parents = find_parents(spans.spans);
    std::vector<RunGraph::NewCall> calls;
    calls.reserve(parents.size());
    for (std::size_t i = 0; i < parents.size(); ++i) calls.push_back({&spans.spans[i], parents[i]});
    const SessionRow& row = graph.add(session, calls);
    const auto tree = std::span(graph.calls).subspan(row.first_call);
    const auto places = graph.by_start_of(row);
    std::vector<const event::Span*> span_of(tree.size());
    for (std::size_t i = 0; i < places.size(); ++i) span_of[places[i]] = &spans.spans[i];
    for (std::size_t i = 0; i < tree.size(); ++i) tree[i].queued = queueing_seconds(*span_of[i], session).value_or(kUnknown);
    note_retries(tree, span_of, session);
    graph.orphan_steps += spans.orphans;
}

RunGraph make_run_graph(const std::vector<event::SessionTrace>& sessions) {
    RunGraph graph;
    for (const auto& session : sessions) add_session(graph, session, event::pair_spans(session.steps));
    return graph;
}

CallTree make_call_tree(const RunGraph& graph, const SessionRow& session, bool (*keep)(event::Category)) {
    const auto calls = graph.calls_of(session);
    // Of each call, the nearest kept one: itself, else its parent's.
    std::vector<std::uint32_t> kept(calls.size(), kNoCall);
    for (std::uint32_t i = 0; i < calls.size(); ++i)
        kept[i] = keep(calls[i].category) ? i : calls[i].parent == kNoCall ? kNoCall : kept[calls[i].parent];

    std::vector<std::uint32_t> chosen, number(calls.size()), parents;
    for (const std::uint32_t i : graph.by_start_of(session)) {
        if (kept[i] != i) continue;
        number[i] = static_cast<std::uint32_t>(chosen.size());
        chosen.push_back(i);
        const std::uint32_t parent = calls[i].parent == kNoCall ? kNoCall : kept[calls[i].parent];
        parents.push_back(parent == kNoCall ? kNoCall : number[parent]);
    }
    const auto order = make_preorder(parents);
    std::vector<std::uint32_t> places(order.size());
    CallTree tree;
    tree.reserve(order.size());
    for (const std::uint32_t at : order) {
        places[at] = static_cast<std::uint32_t>(tree.size());
        Call& call = tree.emplace_back(calls[chosen[at]]);
        call.parent = parents[at] == kNoCall ? kNoCall : places[parents[at]];
    }
    complete_tree(tree);
    return tree;
}

std::vector<double> llm_latencies(const RunGraph& graph) {
    std::vector<double> latencies;
    for (const SessionRow& session : graph.sessions)
        for (const std::uint32_t i : graph.by_start_of(session)) {
            const Call& call = graph.calls_of(session)[i];
            if (call.category == event::Category::llm && call.succeeded()) latencies.push_back(call.duration());
        }
    return latencies;
}

std::vector<double> session_runtimes(const RunGraph& graph, SessionStart start) {
    std::vector<double> runtimes;
    for (const SessionRow& session : graph.sessions)
        if (session.steps > 0) runtimes.push_back(session.runtime_from(start));
    return runtimes;
}

}  // namespace plimsoll::profile
