#include "profile/session_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace plimsoll::profile {
namespace {

bool keep_all(event::Category) { return true; }

// By reference, so that a run of many calls does not copy a name for each.
struct NameView {
    event::Category category;
    std::string_view name, function;
    friend auto operator<=>(const NameView&, const NameView&) = default;
};

NameView name_view(const event::Span& span) {
    const std::string& name = call_name(span);
    const bool places_itself = span.category == event::Category::function || span.category == event::Category::workflow;
    const bool outside = span.function.function_name == "root" || span.function.function_name == name;
    return {span.category, name, places_itself || outside ? std::string_view() : std::string_view(span.function.function_name)};
}

}  // namespace

StepName make_step_name(const event::Span& span) {
    const NameView view = name_view(span);
    return {view.category, std::string(view.name), std::string(view.function)};
}

std::string to_string(const StepName& step) {
    std::string text = fmt::format("{} {}", event::to_string(step.category), step.name);
    if (!step.function.empty()) text += " in " + step.function;
    return text;
}

RunGraph make_run_graph(const TraceView& view) {
    RunGraph graph;
    graph.calls = make_call_tree(view, keep_all);
    graph.children.resize(graph.calls.size());
    graph.step_of.resize(graph.calls.size());
    graph.sessions.resize(view.sessions.size());
    for (std::size_t i = 0; i < view.sessions.size(); ++i) {
        const auto& steps = view.sessions[i].steps;
        if (steps.empty()) continue;
        const auto time = [](const event::Step& step) { return step.payload.event_timestamp; };
        const auto [first, last] = std::ranges::minmax_element(steps, {}, time);
        graph.sessions[i].start = time(*first);
        graph.sessions[i].end = time(*last);
    }

    std::map<NameView, std::size_t> known;
    for (std::size_t i = 0; i < graph.calls.size(); ++i) {
        const Call& call = graph.calls[i];
        SessionGraph& session = graph.sessions[call.session];
        (call.parent ? graph.children[*call.parent] : session.roots).push_back(i);
        if (session.end_call == 0) session.begin_call = i;
        session.end_call = i + 1;
        session.start = std::min(session.start, call.start());
        const auto [found, is_new] = known.try_emplace(name_view(*call.span), graph.steps.size());
        if (is_new) graph.steps.push_back(make_step_name(*call.span));
        graph.step_of[i] = found->second;
    }
    return graph;
}

}  // namespace plimsoll::profile
