#include "profile/prediction_trie.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

using event::Category;
using event::Phase;
using event::Step;

constexpr double kMsPerSecond = 1000;

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

double output_tokens_of(const Step& end) {
    return end.payload.usage_info ? static_cast<double>(end.payload.usage_info->token_usage.completion_tokens) : 0;
}

double ms_to_next_start(const SessionCalls& session, double time) {
    const auto next = std::ranges::upper_bound(session.starts, time);
    return next == session.starts.end() ? std::numeric_limits<double>::quiet_NaN() : (*next - time) * kMsPerSecond;
}

SampleSummary summarise(std::vector<double> samples) {
    std::erase_if(samples, [](double sample) { return std::isnan(sample); });
    SampleSummary summary{.sample_count = samples.size(), .mean = mean(samples)};
    std::ranges::sort(samples);
    summary.p50 = sorted_percentile(samples, 50);
    summary.p90 = sorted_percentile(samples, 90);
    summary.p95 = sorted_percentile(samples, 95);
    return summary;
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

void PredictionTrie::add(const std::vector<Step>& steps, const std::vector<event::Span>& siblings, double session_seconds) {
    const SessionCalls session = collect_calls(steps, starts_);
    std::vector<double> scores(session.calls.size(), std::numeric_limits<double>::quiet_NaN());
    if (settings_.auto_sensitivity) scores = compute_sensitivities(session.calls, siblings, session_seconds, settings_);
    std::unordered_map<std::string_view, std::int32_t> indexes;
    for (std::size_t i = 0; i < session.calls.size(); ++i) {
        const Step& end = *session.calls[i].end;
        const auto& function = end.function_ancestry;
        const bool has_caller = function.parent_name && !function.parent_name->empty();
        samples_.push_back({.caller = has_caller ? names_.add(*function.parent_name) : kNoName,
                            .function = names_.add(function.function_name),
                            .index = ++indexes[function.function_id],
                            .remaining = static_cast<std::uint32_t>(session.calls.size() - i - 1),
                            .interarrival_ms = ms_to_next_start(session, end.payload.event_timestamp),
                            .output_tokens = output_tokens_of(end),
                            .sensitivity = scores[i]});
    }
}

Prediction PredictionTrie::predict(const Picked& picked) const {
    const auto values = [&](auto member) {
        std::vector<double> out;
        out.reserve(picked.size());
        for (const std::uint32_t i : picked) out.push_back(static_cast<double>(samples_[i].*member));
        return out;
    };
    Prediction prediction{
        summarise(values(&Sample::remaining)), summarise(values(&Sample::interarrival_ms)), summarise(values(&Sample::output_tokens)), {}};
    if (!settings_.auto_sensitivity) return prediction;
    const int scale = settings_.sensitivity_scale;
    const double level = std::nearbyint(mean(values(&Sample::sensitivity)) * (scale - 1)) + 1;  // halves go to the even number
    prediction.latency_sensitivity = static_cast<int>(std::clamp(level, 1.0, static_cast<double>(scale)));
    return prediction;
}

// At the root the callers follow, at a caller the functions; calls without a caller stand at the root by their function.
TrieNode PredictionTrie::build_node(std::string name, const Picked& picked, int depth) const {
    TrieNode node{.name = std::move(name)};
    if (!picked.empty()) node.any_index = predict(picked);
    std::map<int, Picked> by_index;
    std::map<std::string_view, Picked> children;
    for (const std::uint32_t i : picked) {
        const Sample& sample = samples_[i];
        by_index[sample.index].push_back(i);
        if (depth == 0) children[names_[sample.caller == kNoName ? sample.function : sample.caller]].push_back(i);
        if (depth == 1 && sample.caller != kNoName) children[names_[sample.function]].push_back(i);
    }
    for (const auto& [index, list] : by_index) node.by_call_index[index] = predict(list);
    for (const auto& [child, list] : children) node.children[std::string(child)] = build_node(std::string(child), list, depth + 1);
    return node;
}

TrieNode PredictionTrie::build() const {
    Picked all(samples_.size());
    std::iota(all.begin(), all.end(), 0u);
    return build_node("root", all, 0);
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

std::string format_time(double time) {
    using Micros = std::chrono::microseconds;
    const auto since_epoch = std::chrono::duration_cast<Micros>(std::chrono::duration<double>(time));
    const std::chrono::sys_seconds seconds(std::chrono::floor<std::chrono::seconds>(since_epoch));
    const auto micros = (since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch)).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}+00:00", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

}  // namespace plimsoll::profile
