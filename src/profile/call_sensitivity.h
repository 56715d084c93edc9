// How much a session suffers when one of its LLM calls is slow: a score from 0 to 1 for each call, from its share of the run
// time, the rounds that follow, its place and its slack beside parallel work (NAT 1.9.0, prediction trie).
#pragma once

#include <vector>

#include "event/span.h"
#include "profile/concurrency.h"
#include "profile/profiler_config.h"

namespace plimsoll::profile {

// A finished LLM call of one session.
struct FinishedCall {
    const event::Step* end = nullptr;
    Interval interval;
    double duration = 0;  // seconds; 0 when the start is not known
};

// Rounds: calls that overlap are in the same one. Gives each interval its round, counted from 0 in the order of time;
// intervals that only touch are in different rounds.
std::vector<int> find_rounds(const std::vector<Interval>& intervals);

// Slack looks at no more than this many siblings of a call, the longest of those that ran beside it first.
inline constexpr std::size_t kMaxSiblings = 10'000;

// Share of the longest overlapping sibling's time that a call could have taken longer for free: 0 for the longest itself, and
// without siblings. `siblings` by falling duration.
double compute_slack(const Interval& call, const std::vector<Interval>& siblings);

// One score a call, in the order of `calls`; the lowest of the session is 0, the highest 1, all 0.5 when they are equal.
// score = w_critical × duration / session_seconds + w_fanout × rounds after / rounds + w_position × distance from the middle
//         − w_parallel × (slack, averaged with the share of the others in a round of several)
std::vector<double> compute_sensitivities(const std::vector<FinishedCall>& calls, const std::vector<event::Span>& spans,
                                          double session_seconds, const PredictionTrieSettings& settings);

}  // namespace plimsoll::profile
