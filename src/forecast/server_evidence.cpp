#include "forecast/server_evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plimsoll::forecast {
namespace {

// Budgets of a step that servers start with unless told otherwise (llama.cpp and older vLLM: 2048, vLLM from version 1 on
// large machines: 8192).
constexpr double kUsualBudgets[] = {2048, 8192};
// A first token this many times later than its prompts explain was held up by something else.
constexpr double kHeldUp = 2;
// A full server stays near its peak: this share of the highest level's time at this share of the peak.
constexpr double kNearPeak = 0.75, kTimeNearPeak = 0.2;
// So many held-up calls at the peak are no accident.
constexpr int kMinWaiting = 8;
constexpr double kMinWaitingShare = 0.02;

// A sequence that was pushed out of memory looks as if it ran, so more than a claim allows is seen at times; this many times
// more is no such thing.
constexpr double kMemoryContradiction = 2;
// From this share of the claimed memory on, sequences may have been pushed out.
constexpr double kMemoryTight = 0.7;

struct Change {
    double time = 0;
    int sequences = 0;
    double tokens = 0;
};

std::vector<Change> running_over_time(const Level& level, int endpoint) {
    std::vector<Change> changes;
    for (const ModelCall& call : level.calls) {
        if (call.endpoint != endpoint || !call.streamed) continue;
        const double tokens = call.prompt + call.output / 2.0;
        changes.push_back({call.first_token, 1, tokens});
        changes.push_back({call.ended, -1, -tokens});
    }
    std::ranges::sort(changes,
                      [](const Change& a, const Change& b) { return a.time != b.time ? a.time < b.time : a.sequences < b.sequences; });
    Change sum;
    for (Change& change : changes) {
        sum.sequences += change.sequences;
        sum.tokens += change.tokens;
        change.sequences = sum.sequences;
        change.tokens = sum.tokens;
    }
    return changes;
}

// The most sequences that ran at once while `call` waited.
int peak_while_waiting(const std::vector<Change>& changes, const ModelCall& call) {
    auto at = std::ranges::upper_bound(changes, call.sent, {}, &Change::time);
    int peak = at == changes.begin() ? 0 : (at - 1)->sequences;
    for (; at != changes.end() && at->time < call.first_token; ++at) peak = std::max(peak, at->sequences);
    return peak;
}

double share_of_time_above(const std::vector<Change>& changes, double sequences, double duration) {
    double seconds = 0;
    for (std::size_t i = 0; i + 1 < changes.size(); ++i)
        if (changes[i].sequences >= sequences) seconds += changes[i + 1].time - changes[i].time;
    return duration > 0 ? seconds / duration : 0;
}

}  // namespace

ServerEvidence weigh_evidence(const Recording& recording, int endpoint, const std::vector<std::vector<double>>& unqueued_first_token) {
    ServerEvidence evidence;
    std::vector<std::vector<Change>> changes;
    for (const Level& level : recording.levels) {
        changes.push_back(running_over_time(level, endpoint));
        for (const Change& change : changes.back()) {
            evidence.peak_sequences = std::max(evidence.peak_sequences, static_cast<double>(change.sequences));
            evidence.peak_tokens = std::max(evidence.peak_tokens, change.tokens);
        }
    }
    int streamed = 0;
    for (std::size_t l = 0; l < recording.levels.size(); ++l) {
        const Level& level = recording.levels[l];
        for (std::size_t i = 0; i < level.calls.size(); ++i) {
            const ModelCall& call = level.calls[i];
            if (call.endpoint != endpoint || !call.streamed) continue;
            ++streamed;
            if (call.first_token - call.sent < kHeldUp * unqueued_first_token[l][i]) continue;
            evidence.waiting_calls += peak_while_waiting(changes[l], call) >= evidence.peak_sequences - 0.5;
        }
    }
    const double near_peak = share_of_time_above(changes.back(), kNearPeak * evidence.peak_sequences, recording.levels.back().duration);
    evidence.places_seen =
        near_peak >= kTimeNearPeak && evidence.waiting_calls >= std::max(static_cast<double>(kMinWaiting), kMinWaitingShare * streamed);
    return evidence;
}

ResolvedLimits resolve_limits(const std::string& endpoint, const EndpointLimits& claimed, const ServerEvidence& evidence) {
    ResolvedLimits out;
    out.replicas = claimed.replicas.value_or(1);
    if (!claimed.replicas) {
        out.unknown.push_back("replicas");
        out.warnings.push_back(endpoint +
                               ": the number of replicas is unknown; 1 is assumed, so replica counts are in units of what was measured");
    }
    if (claimed.routing || out.replicas == 1) {
        out.routings = {claimed.routing.value_or(Routing::round_robin)};
    } else {
        out.routings = {Routing::round_robin, Routing::least_loaded};
        out.unknown.push_back("routing");
    }
    if (claimed.max_batched_tokens) {
        out.batch_budgets = {static_cast<double>(*claimed.max_batched_tokens)};
    } else {
        out.batch_budgets.assign(std::begin(kUsualBudgets), std::end(kUsualBudgets));
        out.unknown.push_back("max_batched_tokens");
    }
    out.chunked_prefill = claimed.chunked_prefill.value_or(true);

    const double places_seen = std::ceil(evidence.peak_sequences / out.replicas);
    const double memory_seen = evidence.peak_tokens / out.replicas;
    const auto no_limit = static_cast<double>(kUnlimited);
    out.places_reached = std::max(1.0, places_seen);
    out.memory_reached = std::max(1.0, memory_seen);
    out.places_low = out.places_reached;
    out.places_high = evidence.places_seen ? out.places_low : no_limit;
    if (claimed.max_num_seqs) {
        const auto claim = static_cast<double>(*claimed.max_num_seqs);
        const double memory = claimed.kv_tokens ? static_cast<double>(*claimed.kv_tokens) : no_limit;
        const bool pushed_out = memory_seen > kMemoryTight * memory && memory_seen <= kMemoryContradiction * memory;
        if (claim < places_seen && !pushed_out) {
            out.warnings.push_back(
                fmt::format("{}: max_num_seqs {:.0f} is contradicted: {:.0f} calls ran at once on {} replica(s); the claim is not used",
                            endpoint, claim, evidence.peak_sequences, out.replicas));
        } else if (evidence.places_seen && out.replicas == 1 && claim > 1.25 * places_seen) {
            out.warnings.push_back(
                fmt::format("{}: max_num_seqs {:.0f} is contradicted: {} calls waited while never more than {:.0f} ran at once; "
                            "another limit holds, and {:.0f} is used",
                            endpoint, claim, evidence.waiting_calls, evidence.peak_sequences, places_seen));
        } else {
            out.places_low = out.places_high = claim;
        }
    }
    if (!out.places_known()) out.unknown.push_back("max_num_seqs");
    out.memory_low = out.memory_reached;
    out.memory_high = no_limit;
    if (claimed.kv_tokens) {
        const auto claim = static_cast<double>(*claimed.kv_tokens);
        if (kMemoryContradiction * claim < memory_seen)
            out.warnings.push_back(fmt::format(
                "{}: kv_tokens {:.0f} is contradicted: {:.0f} tokens were in use at once on {} replica(s); the claim is not used", endpoint,
                claim, evidence.peak_tokens, out.replicas));
        else
            out.memory_low = out.memory_high = claim;
    }
    if (!out.memory_known()) out.unknown.push_back("kv_tokens");
    return out;
}

}  // namespace plimsoll::forecast
