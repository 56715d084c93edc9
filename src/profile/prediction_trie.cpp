#include "profile/prediction_trie.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;
using event::Step;

constexpr double kMsPerSecond = 1000;

struct Samples {
    std::vector<double> remaining, interarrival_ms, output_tokens, sensitivity;
};

struct NodeSamples {
    std::map<int, Samples> by_index;
    Samples any;
    std::map<std::string, NodeSamples> children;
};

struct CallSample {
    double remaining = 0;
    std::optional<double> interarrival_ms;
    double output_tokens = 0;
    std::optional<double> sensitivity;
};

void add(Samples& samples, const CallSample& call) {
    samples.remaining.push_back(call.remaining);
    if (call.interarrival_ms) samples.interarrival_ms.push_back(*call.interarrival_ms);
    samples.output_tokens.push_back(call.output_tokens);
    if (call.sensitivity) samples.sensitivity.push_back(*call.sensitivity);
}

void add(NodeSamples& node, int index, const CallSample& call) {
    add(node.by_index[index], call);
    add(node.any, call);
}

FinishedCall make_call(const Step& end, CallStarts starts, const std::unordered_map<std::string_view, double>& paired) {
    std::optional<double> start = end.payload.span_event_timestamp;
    if (const auto found = paired.find(end.payload.uuid); !start && starts == CallStarts::paired && found != paired.end())
        start = found->second;
    FinishedCall call{.end = &end, .interval = {0, end.payload.event_timestamp}};
    if (!start && starts == CallStarts::paired) start = end.payload.event_timestamp;
    if (!start) return call;
    call.interval.start = *start;
    call.duration = call.interval.end - *start;
    return call;
}

// The finished LLM calls by their end, and the sorted times at which LLM calls started.
struct SessionCalls {
    std::vector<FinishedCall> calls;
    std::vector<double> starts;
};

SessionCalls collect_calls(const std::vector<Step>& steps, CallStarts starts) {
    SessionCalls session;
    std::unordered_map<std::string_view, double> paired;
    for (const auto& step : steps) {
        if (step.payload.event_type != event::EventType{Category::llm, Phase::start}) continue;
        session.starts.push_back(step.payload.event_timestamp);
        paired[step.payload.uuid] = step.payload.event_timestamp;
    }
    for (const auto& step : steps)
        if (step.payload.event_type == event::EventType{Category::llm, Phase::end})
            session.calls.push_back(make_call(step, starts, paired));
    std::ranges::sort(session.starts);
    std::ranges::stable_sort(session.calls, {}, [](const FinishedCall& call) { return call.interval.end; });
    return session;
}

CallSample make_sample(const SessionCalls& session, std::size_t i) {
    const Step& end = *session.calls[i].end;
    CallSample sample;
    sample.remaining = static_cast<double>(session.calls.size() - i - 1);
    const auto next = std::ranges::upper_bound(session.starts, end.payload.event_timestamp);
    if (next != session.starts.end()) sample.interarrival_ms = (*next - end.payload.event_timestamp) * kMsPerSecond;
    sample.output_tokens = end.payload.usage_info ? static_cast<double>(end.payload.usage_info->token_usage.completion_tokens) : 0;
    return sample;
}

void add_session(NodeSamples& root, const std::vector<Step>& steps, const std::vector<event::Span>& spans, double seconds,
                 const PredictionTrieSettings& settings, CallStarts starts) {
    const SessionCalls session = collect_calls(steps, starts);
    std::vector<double> scores;
    if (settings.auto_sensitivity) scores = compute_sensitivities(session.calls, spans, seconds, settings);
    std::unordered_map<std::string_view, int> indexes;
    for (std::size_t i = 0; i < session.calls.size(); ++i) {
        CallSample sample = make_sample(session, i);
        if (settings.auto_sensitivity) sample.sensitivity = scores[i];
        const auto& function = session.calls[i].end->function_ancestry;
        const int index = ++indexes[function.function_id];
        add(root, index, sample);
        NodeSamples* node = &root;
        if (function.parent_name && !function.parent_name->empty()) {
            node = &node->children[*function.parent_name];
            add(*node, index, sample);
        }
        add(node->children[function.function_name], index, sample);
    }
}

SampleSummary summarise(std::vector<double>& samples) {
    SampleSummary summary{.sample_count = samples.size(), .mean = mean(samples)};
    std::ranges::sort(samples);
    summary.p50 = sorted_percentile(samples, 50);
    summary.p90 = sorted_percentile(samples, 90);
    summary.p95 = sorted_percentile(samples, 95);
    return summary;
}

Prediction predict(Samples& samples, int scale) {
    Prediction prediction{summarise(samples.remaining), summarise(samples.interarrival_ms), summarise(samples.output_tokens), {}};
    if (samples.sensitivity.empty()) return prediction;
    const double level = std::nearbyint(mean(samples.sensitivity) * (scale - 1)) + 1;  // halves go to the even number
    prediction.latency_sensitivity = static_cast<int>(std::clamp(level, 1.0, static_cast<double>(scale)));
    return prediction;
}

TrieNode finish_node(std::string name, NodeSamples& samples, int scale) {
    TrieNode node{.name = std::move(name)};
    for (auto& [index, list] : samples.by_index) node.by_call_index[index] = predict(list, scale);
    if (!samples.any.remaining.empty()) node.any_index = predict(samples.any, scale);
    for (auto& [child, list] : samples.children) node.children[child] = finish_node(child, list, scale);
    return node;
}

json::object to_json(const SampleSummary& summary) {
    return {
        {"sample_count", summary.sample_count}, {"mean", summary.mean}, {"p50", summary.p50}, {"p90", summary.p90}, {"p95", summary.p95}};
}

json::object to_json(const Prediction& prediction) {
    const auto& sensitivity = prediction.latency_sensitivity;
    return {{"remaining_calls", to_json(prediction.remaining_calls)},
            {"interarrival_ms", to_json(prediction.interarrival_ms)},
            {"output_tokens", to_json(prediction.output_tokens)},
            {"latency_sensitivity", sensitivity ? json::value(*sensitivity) : json::value(nullptr)}};
}

json::object to_json(const TrieNode& node) {
    json::object by_index, children;
    for (const auto& [index, prediction] : node.by_call_index) by_index[std::to_string(index)] = to_json(prediction);
    for (const auto& [name, child] : node.children) children[name] = to_json(child);
    return {{"name", node.name},
            {"predictions_by_call_index", std::move(by_index)},
            {"predictions_any_index", node.any_index ? json::value(to_json(*node.any_index)) : json::value(nullptr)},
            {"children", std::move(children)}};
}

}  // namespace

TrieNode build_prediction_trie(const TraceView& view, const PredictionTrieSettings& settings, CallStarts starts) {
    NodeSamples root;
    const SessionStart start = starts == CallStarts::recorded ? SessionStart::step : SessionStart::step_or_span;
    for (std::size_t i = 0; i < view.sessions.size(); ++i)
        if (const auto seconds = session_runtime(view.sessions[i], start))
            add_session(root, view.sessions[i].steps, view.spans[i].spans, *seconds, settings, starts);
    return finish_node("root", root, settings.sensitivity_scale);
}

const Prediction* find_prediction(const TrieNode& root, std::span<const std::string> path, int call_index) {
    const Prediction* best = nullptr;
    const TrieNode* node = &root;
    for (std::size_t depth = 0;; ++depth) {
        if (const auto exact = node->by_call_index.find(call_index); exact != node->by_call_index.end())
            best = &exact->second;
        else if (node->any_index)
            best = &*node->any_index;
        if (depth == path.size()) return best;
        const auto child = node->children.find(path[depth]);
        if (child == node->children.end()) return best;
        node = &child->second;
    }
}

json::object to_json(const TrieNode& root, std::string_view generated_at) {
    return {{"version", "1.0"}, {"generated_at", generated_at}, {"workflow_name", "profiled_workflow"}, {"root", to_json(root)}};
}

std::string time_of_last_step(const std::vector<event::SessionTrace>& sessions) {
    double last = 0;
    for (const auto& session : sessions)
        for (const auto& step : session.steps) last = std::max(last, step.payload.event_timestamp);
    using Micros = std::chrono::microseconds;
    const auto since_epoch = std::chrono::duration_cast<Micros>(std::chrono::duration<double>(last));
    const std::chrono::sys_seconds seconds(std::chrono::floor<std::chrono::seconds>(since_epoch));
    const auto micros = (since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch)).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+00:00", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

}  // namespace plimsoll::profile
