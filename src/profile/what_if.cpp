#include "profile/what_if.h"

#include <algorithm>
#include <map>
#include <queue>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

// The forks and joins of one caller in the order in which they happened, so that a replay needs no sorting.
struct Op {
    bool is_join = false;  // waits for the child; else starts it `own` seconds after everything waited for
    std::uint32_t child = 0;
    double own = 0;
};

struct Script {
    std::size_t begin = 0, end = 0;  // in the ops
    double tail = 0;                 // own seconds after the last join
};

// One session at a time: its forks and joins are read off once and played as often as there are questions.
class Replay {
  public:
    void set(std::span<const Call> tree, const SessionRow& session) {
        tree_ = tree;
        ops_.clear();
        scripts_.clear();
        for (std::uint32_t i = 0; i < tree.size(); ++i) scripts_.push_back(make_script(children_of(tree, i), tree[i].start, tree[i].end));
        session_ = make_script(roots_of(tree), session.first_call_start, session.last_step);
        seconds_.resize(tree.size());
    }

    // Seconds of the session with the own time of the calls that `scaled` marks, one mark a step, multiplied by `factor`.
    double run(const std::vector<bool>& scaled, double factor) {
        // Callers come before their children in the tree, so backwards every child is known before its caller.
        for (std::size_t i = scripts_.size(); i-- > 0;) seconds_[i] = play(scripts_[i], scaled[tree_[i].step] ? factor : 1);
        return play(session_, 1);
    }

  private:
    Script make_script(const SiblingCalls& children, double start, double end) {
        Script script{.begin = ops_.size()};
        using Ending = std::pair<double, std::uint32_t>;
        std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running;
        double ready = start;
        const auto join_until = [&](double time) {
            for (; !running.empty() && running.top().first <= time + kJoinSlackSeconds; running.pop()) {
                ops_.push_back({.is_join = true, .child = running.top().second});
                ready = std::max(ready, running.top().first);
            }
        };
        for (const std::uint32_t child : children) {
            const Call& call = tree_[child];
            join_until(call.start);
            ops_.push_back({.child = child, .own = std::max(0.0, call.start - ready)});
            running.emplace(call.end, child);
        }
        join_until(end);
        script.end = ops_.size();
        script.tail = std::max(0.0, end - ready);
        return script;
    }

    // Seconds that a caller takes.
    double play(const Script& script, double factor) {
        double ready = 0;
        for (std::size_t i = script.begin; i < script.end; ++i) {
            const Op& op = ops_[i];
            if (op.is_join)
                ready = std::max(ready, seconds_[op.child]);
            else
                seconds_[op.child] += ready + factor * op.own;  // from here on: when it ends, counted from the caller's start
        }
        return ready + factor * script.tail;
    }

    std::span<const Call> tree_;
    std::vector<Op> ops_;
    std::vector<Script> scripts_;  // of the calls
    Script session_;
    std::vector<double> seconds_;  // of each call's replay
};

struct Candidate {
    StepName step;
    std::vector<bool> scaled;  // a mark a step of the graph
};

struct Candidates {
    std::vector<Candidate> list;  // most own time first
    std::size_t left_out = 0;
};

// Every step, and every name that runs in several functions as a whole.
Candidates list_candidates(const RunGraph& graph) {
    std::vector<double> self_time(graph.steps.size());
    for (const Call& call : graph.calls) self_time[call.step] += call.self_time;
    std::map<StepName, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < graph.steps.size(); ++i) {
        const StepName& step = graph.steps[i];
        groups[step].push_back(i);
        if (!step.function.empty()) groups[{step.category, step.name, ""}].push_back(i);
    }
    struct Ranked {
        double self_time;
        StepName step;
        std::vector<std::size_t> members;
    };
    std::vector<Ranked> ranked;
    for (auto& [step, members] : groups) {
        const bool repeats_its_only_place = step.function.empty() && members.size() == 1 && !graph.steps[members.front()].function.empty();
        double total = 0;
        for (const std::size_t member : members) total += self_time[member];
        if (!repeats_its_only_place && total > 0) ranked.push_back({total, step, std::move(members)});
    }
    std::ranges::stable_sort(ranked, std::greater(), &Ranked::self_time);

    Candidates candidates;
    for (Ranked& entry : ranked) {
        if (candidates.list.size() == kMaxWhatIfSteps) {
            candidates.left_out = ranked.size() - kMaxWhatIfSteps;
            break;
        }
        Candidate candidate{std::move(entry.step), std::vector<bool>(graph.steps.size())};
        for (const std::size_t member : entry.members) candidate.scaled[member] = true;
        candidates.list.push_back(std::move(candidate));
    }
    return candidates;
}

double gain(double before, double after) { return before > 0 ? std::max(0.0, 1 - after / before) : 0; }

}  // namespace

std::vector<double> replay_sessions(const RunGraph& graph, const std::vector<bool>& scaled, double factor) {
    Replay replay;
    std::vector<double> runtimes;
    for (const SessionRow& session : graph.sessions) {
        if (session.calls == 0) continue;
        replay.set(graph.calls_of(session), session);
        runtimes.push_back(replay.run(scaled, factor));
    }
    return runtimes;
}

WhatIf compute_what_if(const RunGraph& graph) {
    const Candidates candidates = list_candidates(graph);
    WhatIf result{.steps_left_out = candidates.left_out};
    std::vector<double> recorded;
    std::vector<std::vector<double>> replayed;  // runtimes, for each row
    for (const Candidate& candidate : candidates.list)
        for (const double factor : kWhatIfFactors) result.rows.push_back({.step = candidate.step, .factor = factor});
    replayed.resize(result.rows.size());
    Replay replay;
    for (const SessionRow& session : graph.sessions) {
        if (session.calls == 0) continue;
        recorded.push_back(session.runtime());
        replay.set(graph.calls_of(session), session);
        for (std::size_t i = 0; i < result.rows.size(); ++i)
            replayed[i].push_back(replay.run(candidates.list[i / std::size(kWhatIfFactors)].scaled, result.rows[i].factor));
    }
    result.sessions = recorded.size();
    std::ranges::sort(recorded);
    result.p50 = sorted_percentile(recorded, 50);
    result.p95 = sorted_percentile(recorded, 95);
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        WhatIfRow& row = result.rows[i];
        std::ranges::sort(replayed[i]);
        row.p50 = sorted_percentile(replayed[i], 50);
        row.p95 = sorted_percentile(replayed[i], 95);
        row.gain_p50 = gain(result.p50, row.p50);
        row.gain_p95 = gain(result.p95, row.p95);
    }
    std::ranges::stable_sort(result.rows, [](const WhatIfRow& a, const WhatIfRow& b) {
        return std::pair(a.gain_p95, a.gain_p50) > std::pair(b.gain_p95, b.gain_p50);
    });
    return result;
}

json::value to_json(const WhatIf& what_if) {
    json::array rows;
    for (const WhatIfRow& row : what_if.rows)
        rows.push_back({{"step", to_string(row.step)},
                        {"factor", row.factor},
                        {"p50", row.p50},
                        {"p95", row.p95},
                        {"gain_p50", row.gain_p50},
                        {"gain_p95", row.gain_p95}});
    return {{"sessions", what_if.sessions},
            {"p50", what_if.p50},
            {"p95", what_if.p95},
            {"rows", std::move(rows)},
            {"steps_left_out", what_if.steps_left_out}};
}

}  // namespace plimsoll::profile
