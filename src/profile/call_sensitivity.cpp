#include "profile/call_sensitivity.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "profile/call_tree.h"

namespace plimsoll::profile {
namespace {

struct Sibling {
    std::string_view uuid;
    Interval interval;
};

double length(const Interval& interval) { return interval.end - interval.start; }

bool overlaps(const Interval& a, const Interval& b) { return a.start < b.end && b.start < a.end; }

// The calls of a session by the id of their caller, the longest first.
class Siblings {
  public:
    explicit Siblings(const std::vector<event::Span>& spans) {
        for (const auto& span : spans)
            if (span.finished && is_nested_call(span.category)) by_parent_[span.parent_id].push_back({span.uuid, {span.start, span.end}});
        for (auto& [parent, list] : by_parent_)
            std::ranges::stable_sort(list, std::greater(), [](const Sibling& sibling) { return length(sibling.interval); });
    }

    // The calls beside the function the step ran in; where nothing is known of those, the calls beside the step itself.
    std::vector<Interval> beside(const event::Step& step) const {
        std::vector<Interval> intervals;
        for (const auto& sibling : find(step)) {
            if (intervals.size() == kMaxSiblings) break;
            if (sibling.uuid != step.payload.uuid) intervals.push_back(sibling.interval);
        }
        return intervals;
    }

  private:
    const std::vector<Sibling>& find(const event::Step& step) const {
        static const std::vector<Sibling> kNone;
        const auto& function_parent = step.function_ancestry.parent_id;
        if (function_parent && !function_parent->empty())
            if (const auto found = by_parent_.find(*function_parent); found != by_parent_.end()) return found->second;
        const auto found = by_parent_.find(step.parent_id);
        return found == by_parent_.end() ? kNone : found->second;
    }

    std::unordered_map<std::string_view, std::vector<Sibling>> by_parent_;
};

void normalise(std::vector<double>& scores) {
    if (scores.empty()) return;
    const auto [lowest, highest] = std::ranges::minmax(scores);
    for (double& score : scores) score = highest > lowest ? (score - lowest) / (highest - lowest) : 0.5;
}

}  // namespace

std::vector<int> find_rounds(const std::vector<Interval>& intervals) {
    std::vector<std::size_t> order(intervals.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return intervals[i].start; });
    std::vector<int> rounds(intervals.size());
    int round = -1;
    double round_end = 0;
    for (const std::size_t i : order) {
        if (round < 0 || intervals[i].start >= round_end) {
            ++round;
            round_end = intervals[i].end;
        } else {
            round_end = std::max(round_end, intervals[i].end);
        }
        rounds[i] = round;
    }
    return rounds;
}

double compute_slack(const Interval& call, const std::vector<Interval>& siblings) {
    const auto longest = std::ranges::find_if(siblings, [&](const Interval& sibling) { return overlaps(call, sibling); });
    if (longest == siblings.end() || length(*longest) <= 0) return 0;
    return std::max(0.0, 1 - length(call) / length(*longest));
}

std::vector<double> compute_sensitivities(const std::vector<FinishedCall>& calls, const std::vector<event::Span>& spans,
                                          double session_seconds, const PredictionTrieSettings& settings) {
    std::vector<Interval> intervals;
    intervals.reserve(calls.size());
    for (const auto& call : calls) intervals.push_back(call.interval);
    const auto rounds = find_rounds(intervals);
    const int last = rounds.empty() ? 0 : std::ranges::max(rounds);
    std::vector<int> round_sizes(static_cast<std::size_t>(last) + 1, 0);
    for (const int round : rounds) ++round_sizes[round];

    const Siblings siblings(spans);
    std::vector<double> scores;
    scores.reserve(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const double place = last == 0 ? 0 : static_cast<double>(rounds[i]) / last;
        const double critical = session_seconds > 0 ? std::min(calls[i].duration / session_seconds, 1.0) : 1;
        const double fanout = last == 0 ? 0 : 1 - place;
        const double position = std::max(1 - place, place);
        double penalty = settings.w_parallel > 0 && calls[i].duration > 0 ? compute_slack(intervals[i], siblings.beside(*calls[i].end)) : 0;
        if (const double size = round_sizes[rounds[i]]; size > 1) penalty = (penalty + (size - 1) / size) / 2;
        scores.push_back(settings.w_critical * critical + settings.w_fanout * fanout + settings.w_position * position -
                         settings.w_parallel * penalty);
    }
    normalise(scores);
    return scores;
}

}  // namespace plimsoll::profile
