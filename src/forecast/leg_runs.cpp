#include "forecast/leg_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

constexpr double kP95 = 95;

Result<SessionSample> parse_session(const json::value& value) {
    SessionSample session;
    const auto id = get_string(value, "id");
    const auto* failed = find(value, "failed");
    if (!id || !failed || !failed->is_bool()) return fail(ErrorCode::parse, "a session has an id and says whether it failed");
    session.id = *id;
    session.failed = failed->get_bool();
    session.runtime = get_number(value, "runtime").value_or(0);
    session.llm_latency = get_number(value, "llm_latency").value_or(0);
    if (const auto* calls = find(value, "call_latencies"); calls && calls->is_array())
        for (const auto& call : calls->get_array())
            if (call.is_number()) session.call_latencies.push_back(call.to_number<double>());
    session.scores = parse_scores(value, "scores");
    return session;
}

// NAT's file has an item once; a later run's gets its repetition in front.
std::string item_key(const RunMeasurement& run, const SessionSample& session) {
    return run.repetition == 1 ? session.id : fmt::format("run{}/{}", run.repetition, session.id);
}

// A cause once, in the words of the first run that had it: "Node busy: …" is named before its colon, the figures after it differ each time.
std::vector<std::string> pool_findings(std::span<const RunMeasurement> runs) {
    struct Found {
        std::string name, text;
        int runs = 0;
    };
    std::vector<Found> found;
    for (const RunMeasurement& run : runs)
        for (const std::string& finding : run.findings) {
            const std::string name = finding.substr(0, finding.find(':'));
            auto place = std::ranges::find(found, name, &Found::name);
            if (place == found.end()) place = found.insert(place, {name, finding});
            ++place->runs;
        }
    std::vector<std::string> out;
    for (Found& one : found) {
        if (runs.size() > 1) one.text += fmt::format(" (In {} of {} runs.)", one.runs, runs.size());
        out.push_back(std::move(one.text));
    }
    return out;
}

LegStatistics compute_statistics(std::span<const RunMeasurement> runs, const LegResult& leg) {
    LegStatistics statistics{.runs = static_cast<int>(runs.size())};
    statistics.config = runs.front().conditions.substr(0, runs.front().conditions.find(' '));
    std::vector<std::vector<double>> runtimes, calls;
    double prompt_tokens = 0, completion_tokens = 0;
    for (const RunMeasurement& run : runs) {
        prompt_tokens += static_cast<double>(run.prompt_tokens);
        completion_tokens += static_cast<double>(run.completion_tokens);
        statistics.better.insert(run.better.begin(), run.better.end());
        for (const SessionSample& session : run.sessions) {
            if (session.failed) continue;
            runtimes.push_back({session.runtime});
            calls.push_back(session.call_latencies);
            for (const auto& [name, score] : session.scores) statistics.session_scores[name][item_key(run, session)] = score;
        }
    }
    statistics.findings = pool_findings(runs);
    const Random random(static_cast<std::uint64_t>(leg.concurrency));  // the same runs give the same intervals
    for (const auto& [name, scores] : statistics.session_scores) statistics.scores[name] = summarise_scores(scores);
    statistics.workflow_runtime = summarise_sample(runtimes, random);
    statistics.llm_latency = summarise_sample(calls, random);
    if (leg.total_runtime > 0) {
        statistics.prompt_tokens_per_second = prompt_tokens / leg.total_runtime;
        statistics.completion_tokens_per_second = completion_tokens / leg.total_runtime;
    }
    return statistics;
}

}  // namespace

json::value to_json(const RunMeasurement& run) {
    json::array sessions;
    for (const SessionSample& session : run.sessions)
        sessions.push_back({{"id", session.id},
                            {"failed", session.failed},
                            {"runtime", session.runtime},
                            {"llm_latency", session.llm_latency},
                            {"call_latencies", json::value_from(session.call_latencies)},
                            {"scores", json::value_from(session.scores)}});
    return {{"concurrency", run.concurrency},
            {"repetition", run.repetition},
            {"conditions", run.conditions},
            {"interrupted", run.interrupted},
            {"llm_latency_p95", run.llm_latency_p95},
            {"workflow_runtime_p95", run.workflow_runtime_p95},
            {"total_runtime", run.total_runtime},
            {"prompt_tokens", run.prompt_tokens},
            {"completion_tokens", run.completion_tokens},
            {"better", json::value_from(run.better)},
            {"findings", json::value_from(run.findings)},
            {"sessions", std::move(sessions)}};
}

Result<RunMeasurement> parse_run_measurement(const json::value& value) {
    RunMeasurement run;
    const auto concurrency = get_int(value, "concurrency"), repetition = get_int(value, "repetition");
    const auto* sessions = find(value, "sessions");
    const auto* interrupted = find(value, "interrupted");
    constexpr std::int64_t kMost = 1'000'000;
    const auto is_count = [](const std::optional<std::int64_t>& number) { return number && *number > 0 && *number <= kMost; };
    if (!is_count(concurrency) || !is_count(repetition) || !sessions || !sessions->is_array() || !interrupted || !interrupted->is_bool())
        return fail(ErrorCode::parse, "no measurement: concurrency, repetition, interrupted or sessions is missing or wrong");
    run.concurrency = static_cast<int>(*concurrency);
    run.repetition = static_cast<int>(*repetition);
    run.interrupted = interrupted->get_bool();
    run.conditions = get_string(value, "conditions").value_or("");
    run.llm_latency_p95 = get_number(value, "llm_latency_p95").value_or(0);
    run.workflow_runtime_p95 = get_number(value, "workflow_runtime_p95").value_or(0);
    run.total_runtime = get_number(value, "total_runtime").value_or(0);
    run.prompt_tokens = get_int(value, "prompt_tokens").value_or(0);
    run.completion_tokens = get_int(value, "completion_tokens").value_or(0);
    for (const auto& [name, sign] : parse_scores(value, "better")) run.better[name] = static_cast<int>(std::clamp(sign, -1.0, 1.0));
    if (const auto* findings = find(value, "findings"); findings && findings->is_array())
        for (const auto& finding : findings->get_array()) run.findings.push_back(to_text(finding));
    for (const auto& session : sessions->get_array()) {
        auto parsed = parse_session(session);
        if (!parsed) return fail(parsed.error());
        run.sessions.push_back(std::move(*parsed));
    }
    return run;
}

LegResult pool_runs(std::span<const RunMeasurement> runs) {
    PLIMSOLL_CHECK(!runs.empty(), "a leg has at least one run");
    LegResult leg{.concurrency = runs.front().concurrency};
    std::vector<double> runtimes, calls;
    for (const RunMeasurement& run : runs) {
        leg.total_runtime += run.total_runtime;
        leg.interrupted = leg.interrupted || run.interrupted;
        leg.sessions += static_cast<int>(run.sessions.size());
        for (const SessionSample& session : run.sessions) {
            leg.failed += session.failed ? 1 : 0;
            if (session.failed) continue;
            leg.items[item_key(run, session)] = {session.llm_latency, session.runtime};
            runtimes.push_back(session.runtime);
            calls.insert(calls.end(), session.call_latencies.begin(), session.call_latencies.end());
        }
    }
    const bool single = runs.size() == 1;
    leg.llm_latency_p95 = single ? runs.front().llm_latency_p95 : percentile(std::move(calls), kP95);
    leg.workflow_runtime_p95 = single ? runs.front().workflow_runtime_p95 : percentile(std::move(runtimes), kP95);
    leg.statistics = compute_statistics(runs, leg);
    return leg;
}

std::vector<LegResult> pool_legs(const std::vector<RunMeasurement>& runs) {
    std::vector<std::vector<RunMeasurement>> groups;
    for (const RunMeasurement& run : runs) {
        const auto same = [&](const auto& group) { return group.front().concurrency == run.concurrency; };
        const auto group = std::ranges::find_if(groups, same);
        if (group == groups.end())
            groups.push_back({run});
        else
            group->push_back(run);
    }
    std::vector<LegResult> legs;
    for (const auto& group : groups) legs.push_back(pool_runs(group));
    return legs;
}

}  // namespace plimsoll::forecast
