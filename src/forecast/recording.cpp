#include "forecast/recording.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

using event::Category;
using event::Span;

// Names of steps that a message lists.
constexpr std::size_t kMaxNames = 40;
// A trace has every token when the events amount to at least this share of the tokens counted by the server.
constexpr double kAllTokensShare = 0.9;

std::uint64_t combine(std::uint64_t seed, std::uint64_t value) {
    return seed ^ (std::hash<std::uint64_t>{}(value) * 0x9e3779b97f4a7c15 + (seed << 6) + (seed >> 2));
}

// What one request of a trace file becomes.
struct SessionReader {
    Recording& recording;
    Level& level;
    const std::vector<LeaveOut>& without;
    std::vector<int>& hits;  // per name in `without`
    std::set<std::string>& names;

    void read(const event::SessionTrace& trace) {
        const event::SpanList list = event::pair_spans(trace.steps);
        if (list.spans.empty()) return;
        RecordedSession session;
        session.start = list.spans.front().start;
        session.end = session.start;
        bool has_workflow = false, all_ended = true;
        for (const Span& span : list.spans) {
            if (span.category == Category::workflow) {
                has_workflow = true;
                session.finished = span.finished;
                session.failed = span.error.has_value();
            }
            all_ended = all_ended && span.finished;
            session.end = std::max(session.end, span.end);
        }
        // Traces of a single function have no workflow step; such a session ended when everything in it did.
        if (!has_workflow) session.finished = all_ended;
        add_calls(list.spans, session);
        if (session.usable()) add_graph(list.spans, session);
        level.sessions.push_back(std::move(session));
    }

    void add_calls(const std::vector<Span>& spans, RecordedSession& session) {
        const int index = static_cast<int>(level.sessions.size());
        std::vector<std::uint64_t> shape;
        for (const Span& span : spans) {
            if (!span.finished) continue;
            if (span.category == Category::tool)
                level.tools.push_back({ResourceNames::index_of(recording.names.tools, span.name), index, -1, span.start, span.end});
            if (span.category != Category::llm || span.error) continue;
            ModelCall call;
            call.endpoint = ResourceNames::index_of(recording.names.models, span.name);
            call.session = index;
            call.sent = span.start;
            call.ended = span.end;
            call.prompt = static_cast<int>(std::max<std::int64_t>(1, span.usage.prompt_tokens - span.usage.cached_tokens));
            call.output = static_cast<int>(span.usage.completion_tokens);
            if (call.output <= 0) {
                ++recording.calls_without_tokens;
                continue;
            }
            call.streamed = !span.token_times.empty();
            call.first_token = call.streamed ? span.token_times.front() : span.end;
            call.token_times = span.token_times;
            // The whole prompt: what of it was in a cache is the server's doing.
            shape.push_back(static_cast<std::uint64_t>(span.usage.prompt_tokens) << 32 | static_cast<std::uint64_t>(call.output));
            level.calls.push_back(std::move(call));
        }
        std::ranges::sort(shape);
        for (const std::uint64_t one : shape) session.signature = combine(session.signature, one);
    }

    void add_graph(const std::vector<Span>& spans, RecordedSession& session) {
        session.graph = make_session_graph(spans, recording.names);
        std::size_t use = level.tools.size();
        const int index = static_cast<int>(level.sessions.size());
        while (use > 0 && level.tools[use - 1].session == index) --use;
        // Tool uses stand in the order of the spans, so that the graph's tasks can be found by their span.
        std::vector<int> task_of(spans.size(), -1);
        for (std::size_t i = 0; i < session.graph.tasks.size(); ++i) {
            const Task& task = session.graph.tasks[i];
            if (task.span != Task::kNoSpan) task_of[task.span] = static_cast<int>(i);
        }
        for (std::size_t i = 0; i < spans.size(); ++i)
            if (spans[i].category == Category::tool && spans[i].finished) level.tools[use++].task = task_of[i];
        for (std::size_t i = 0; i < without.size(); ++i)
            hits[i] += mark_named(session.graph, spans, without[i].name, without[i].keep, session.left_out);
        for (const Span& span : spans)
            if (!without.empty() && names.size() < kMaxNames) names.insert(span.name);
    }
};

void shift_times(Level& level) {
    double first = level.sessions.front().start;
    for (const auto& session : level.sessions) first = std::min(first, session.start);
    for (auto& session : level.sessions) {
        session.start -= first;
        session.end -= first;
        level.duration = std::max(level.duration, session.end);
    }
    for (auto& call : level.calls) {
        call.sent -= first;
        call.first_token -= first;
        call.ended -= first;
        for (double& time : call.token_times) time -= first;
    }
    for (auto& use : level.tools) {
        use.start -= first;
        use.end -= first;
    }
}

// Sessions were read in file order; everything that follows wants them in the order of their start.
void sort_by_start(Level& level) {
    std::vector<int> order(level.sessions.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::ranges::stable_sort(order, {}, [&](int i) { return level.sessions[static_cast<std::size_t>(i)].start; });
    std::vector<RecordedSession> sorted;
    std::vector<int> place(order.size());
    for (const int i : order) {
        place[static_cast<std::size_t>(i)] = static_cast<int>(sorted.size());
        sorted.push_back(std::move(level.sessions[static_cast<std::size_t>(i)]));
    }
    level.sessions = std::move(sorted);
    for (auto& call : level.calls) call.session = place[static_cast<std::size_t>(call.session)];
    for (auto& use : level.tools) use.session = place[static_cast<std::size_t>(use.session)];
    std::ranges::stable_sort(level.calls, {}, &ModelCall::sent);
    std::ranges::stable_sort(level.tools, {}, &ToolUse::start);
}

// A session of length d is seen whole only when it starts d before the end, so long ones are missing more often. Each whole
// session stands for as many as started in all for each that could have been seen whole (inverse probability weighting).
void weigh_sessions(Level& level) {
    const std::size_t n = level.sessions.size();
    for (std::size_t i = 0; i < n; ++i) level.sessions[i].warm_up = static_cast<int>(i) < level.concurrency;
    const auto warm = std::min(n, static_cast<std::size_t>(level.concurrency));
    for (auto& session : level.sessions) {
        // The first ones start at once and can all be seen whole.
        if (!session.usable() || session.warm_up) continue;
        std::size_t could = 0;
        for (std::size_t i = warm; i < n; ++i) could += level.sessions[i].start + session.length() <= level.duration + 1e-9;
        session.weight = could == 0 ? 1 : static_cast<double>(n - warm) / static_cast<double>(could);
    }
}

// Closed loop: the k-th end lets the (C + k)-th start happen. Their differences are the users' pauses.
std::vector<double> user_pauses(const Level& level) {
    std::vector<double> pauses;
    std::vector<double> ends;
    for (const auto& session : level.sessions)
        if (session.finished) ends.push_back(session.end);
    std::ranges::sort(ends);
    for (std::size_t k = 0; k < ends.size(); ++k) {
        const std::size_t next = k + static_cast<std::size_t>(level.concurrency);
        if (next < level.sessions.size()) pauses.push_back(std::max(0.0, level.sessions[next].start - ends[k]));
    }
    return pauses;
}

// Sets `run` behind what `level` holds, with a gap in which nothing ran: no step, call or queue reaches from one run into another.
void append_run(Level& level, Level run) {
    constexpr double kBetweenRuns = 1;  // seconds
    const double offset = level.duration + kBetweenRuns;
    const int before = static_cast<int>(level.sessions.size());
    for (auto& session : run.sessions) {
        session.start += offset;
        session.end += offset;
        level.sessions.push_back(std::move(session));
    }
    for (auto& call : run.calls) {
        call.session += before;
        call.sent += offset;
        call.first_token += offset;
        call.ended += offset;
        for (double& time : call.token_times) time += offset;
        level.calls.push_back(std::move(call));
    }
    for (auto& use : run.tools) {
        use.session += before;
        use.start += offset;
        use.end += offset;
        level.tools.push_back(use);
    }
    level.pauses.insert(level.pauses.end(), run.pauses.begin(), run.pauses.end());
    level.duration = offset + run.duration;
}

// Token times are of use only when (nearly) all are there; a lone first token is kept apart already.
void settle_token_times(Recording& recording) {
    double seen = 0, counted = 0;
    for (const Level& level : recording.levels)
        for (const ModelCall& call : level.calls) {
            seen += static_cast<double>(call.token_times.size());
            counted += call.output;
        }
    recording.all_tokens = counted > 0 && seen >= kAllTokensShare * counted;
    if (recording.all_tokens) return;
    for (Level& level : recording.levels)
        for (ModelCall& call : level.calls) call.token_times = {};
}

void check_sizes(Recording& recording) {
    constexpr std::size_t kFewSessions = 10;
    for (const Level& level : recording.levels) {
        const std::size_t n = level.lengths().size();
        if (n < kFewSessions)
            recording.warnings.push_back(fmt::format("concurrency {}: only {} sessions after the warm-up", level.concurrency, n));
    }
    if (recording.calls_without_tokens > 0)
        recording.warnings.push_back(
            fmt::format("{} model calls without token counts are left out of the fit", recording.calls_without_tokens));
}

}  // namespace

double weighted_percentile(std::vector<std::pair<double, double>> values, double p) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    double total = 0;
    for (const auto& [value, weight] : values) total += weight;
    // With equal weights this is numpy's rule: the first value at 0 %, the last at 100 %.
    const double span = total - (values.front().second + values.back().second) / 2;
    double at = 0;
    for (std::size_t i = 1; i < values.size(); ++i) {
        const double next = at + (values[i - 1].second + values[i].second) / 2;
        const double target = p / 100 * span;
        if (target <= next && next > at)
            return values[i - 1].first + (values[i].first - values[i - 1].first) * std::clamp((target - at) / (next - at), 0.0, 1.0);
        at = next;
    }
    return values.back().first;
}

std::vector<std::pair<double, double>> Level::lengths() const {
    std::vector<std::pair<double, double>> out;
    for (const auto& session : sessions)
        if (session.usable() && !session.warm_up) out.emplace_back(session.length(), session.weight);
    return out;
}

double Level::p95() const { return weighted_percentile(lengths(), 95); }

bool Level::ran_out() const { return std::ranges::all_of(sessions, &RecordedSession::finished); }

double Level::mean_length() const {
    double sum = 0, total = 0;
    for (const auto& [length, weight] : lengths()) {
        sum += length * weight;
        total += weight;
    }
    return total > 0 ? sum / total : 0;
}

RecordingBuilder::RecordingBuilder(std::vector<LeaveOut> without) : without_(std::move(without)), hits_(without_.size(), 0) {}

Result<void> RecordingBuilder::add(const LevelTraces& traces) {
    const auto wrong = [&](std::string what) { return fail(ErrorCode::invalid_argument, traces.name + ": " + what); };
    const auto known = std::ranges::find(recording_.levels, traces.concurrency, &Level::concurrency);
    if (known != recording_.levels.end() && traces.repetition == 1)
        return wrong(fmt::format("concurrency {} is given twice", traces.concurrency));
    for (const auto& [reason, entry] : traces.skipped.reasons())
        recording_.warnings.push_back(fmt::format("{}: {} x {} passed over", traces.name, entry.count, reason));
    Level level;
    level.concurrency = traces.concurrency;
    SessionReader reader{recording_, level, without_, hits_, names_};
    for (const event::SessionTrace& trace : traces.sessions) reader.read(trace);
    if (level.sessions.empty()) return wrong("no sessions");
    if (level.calls.empty())
        return wrong(recording_.calls_without_tokens > 0 ? "no model call has token counts (usage_info of LLM_END)"
                                                         : "no model calls (LLM_START and LLM_END)");
    sort_by_start(level);
    shift_times(level);
    weigh_sessions(level);
    if (level.lengths().empty()) return wrong(fmt::format("no session ended after the first {} (the warm-up)", level.concurrency));
    level.pauses = user_pauses(level);
    if (known != recording_.levels.end())
        append_run(*known, std::move(level));
    else
        recording_.levels.push_back(std::move(level));
    return {};
}

Result<Recording> RecordingBuilder::finish() && {
    for (std::size_t i = 0; i < without_.size(); ++i)
        if (hits_[i] == 0)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("no step is named \"{}\" (there are {})", without_[i].name, fmt::join(names_, ", ")));
    std::ranges::sort(recording_.levels, {}, &Level::concurrency);
    std::vector<double> pauses;
    for (const Level& level : recording_.levels) pauses.insert(pauses.end(), level.pauses.begin(), level.pauses.end());
    recording_.think_time = percentile(pauses, 50);
    settle_token_times(recording_);
    check_sizes(recording_);
    return std::move(recording_);
}

Result<Recording> make_recording(const std::vector<LevelTraces>& levels, const std::vector<LeaveOut>& without) {
    RecordingBuilder builder(without);
    for (const LevelTraces& level : levels) PLIMSOLL_TRY(builder.add(level));
    return std::move(builder).finish();
}

Recording without_highest(const Recording& recording) {
    Recording lower = recording;
    lower.levels.pop_back();
    for (Level& level : lower.levels)
        for (RecordedSession& session : level.sessions) session.left_out.clear();
    return lower;
}

}  // namespace plimsoll::forecast
