#include "load/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace plimsoll::load {
namespace {

constexpr std::pair<Metric, const char*> kRows[] = {
    {Metric::ttft, "time to first token"}, {Metric::itl, "between tokens"}, {Metric::latency, "latency"},
    {Metric::raw_latency, "latency, raw"}, {Metric::session, "session"},    {Metric::schedule_error, "schedule error"},
};
constexpr std::pair<Metric, const char*> kKeys[] = {
    {Metric::ttft, "ttft"},       {Metric::itl, "itl"},
    {Metric::latency, "latency"}, {Metric::raw_latency, "raw_latency"},
    {Metric::session, "session"}, {Metric::schedule_error, "schedule_error"},
};

// A look at the server sees a moment, in which a few calls may be on their way; of short calls most are.
constexpr std::size_t kFewLooks = 3;
constexpr double kLongCall = 0.1;  // seconds, at the median
constexpr double kNearlyAll = 0.95;

std::string row(const char* name, const DurationHistogram& values) {
    return fmt::format("{:<22}{:>10}{:>11}{:>11}{:>11}{:>11}{:>11}\n", name, values.count(), duration_text(values.mean()),
                       duration_text(values.percentile(50)), duration_text(values.percentile(95)), duration_text(values.percentile(99)),
                       duration_text(values.max()));
}

json::object histogram_json(const DurationHistogram& values) {
    json::object out = {{"count", values.count()}};
    if (values.count() == 0) return out;
    out["mean_s"] = values.mean();
    out["min_s"] = values.min();
    for (const double p : {50.0, 90.0, 95.0, 99.0, 99.9}) out[fmt::format("p{}_s", p)] = values.percentile(p);
    out["max_s"] = values.max();
    return out;
}

json::array checks_json(const std::vector<Check>& checks) {
    json::array out;
    for (const Check& check : checks) out.push_back({{"text", check.text}, {"value", check.value}, {"ok", check.ok}});
    return out;
}

std::string checks_text(std::string_view head, const std::vector<Check>& checks) {
    std::string out;
    if (!checks.empty()) out += fmt::format("\n{}\n", head);
    for (const Check& check : checks)
        out += fmt::format("  {} {}: {}\n", check.ok ? "ok    " : "FAILED", check.text,
                           check.value.empty() ? "nothing was measured" : check.value);
    return out;
}

std::string value_text(const Threshold& threshold, double value) {
    if (!threshold.is_share) return duration_text(value);
    if (threshold.share == Share::error_rate) return fmt::format("{:.3g} %", 100 * value);
    if (threshold.share == Share::rate || threshold.share == Share::token_rate) return fmt::format("{:.4g}/s", value);
    return fmt::format("{}", value);
}

}  // namespace

std::optional<int> asked_at_once(const LoadPlan& plan, const ScriptBook& book) {
    const bool all_start = plan.ramp_up.count() == 0 || (plan.ramp_up < plan.duration && plan.max_sessions == 0);
    if (plan.open || plan.think.count() > 0 || !all_start || has_pauses(book)) return std::nullopt;
    return plan.max_sessions > 0 ? static_cast<int>(std::min<std::uint64_t>(plan.max_sessions, static_cast<std::uint64_t>(plan.users)))
                                 : plan.users;
}

std::vector<Check> check_honesty(const HonestyLimits& limits, const LoadStats& stats, const LoadOutcome& outcome,
                                 const ServerSeen& server) {
    std::vector<Check> out;
    const DurationHistogram& late = stats.of(Metric::schedule_error);
    if (limits.max_schedule_error_s >= 0)
        out.push_back({fmt::format("starts at most {} late (p99)", duration_text(limits.max_schedule_error_s)),
                       late.count() == 0 ? "" : duration_text(late.percentile(99)),
                       late.count() > 0 && late.percentile(99) <= limits.max_schedule_error_s});
    if (limits.max_dropped >= 0)
        out.push_back({fmt::format("at most {} starts dropped", limits.max_dropped), fmt::format("{}", outcome.dropped),
                       std::cmp_less_equal(outcome.dropped, limits.max_dropped)});
    if (limits.min_open >= 0)
        out.push_back({fmt::format("{} calls connected at once", limits.min_open), fmt::format("{}", stats.peak_connected()),
                       stats.peak_connected() >= limits.min_open});
    const DurationHistogram& latency = stats.of(Metric::raw_latency);
    if (limits.min_at_server >= 0 && server.peak && server.looks >= kFewLooks && latency.count() > 0 && latency.percentile(50) >= kLongCall)
        out.push_back({fmt::format("{} calls at the server at one of {} looks", limits.min_at_server, server.looks),
                       fmt::format("{}", *server.peak), *server.peak >= kNearlyAll * limits.min_at_server});
    if (outcome.started > 0 && stats.sessions() == 0) out.push_back({"a session outside the warm-up", "none", false});
    if (outcome.lost_records > 0) out.push_back({"every session is counted", fmt::format("{} lost", outcome.lost_records), false});
    return out;
}

std::vector<Check> check_thresholds(const std::vector<Threshold>& thresholds, const LoadStats& stats) {
    std::vector<Check> out;
    for (const Threshold& threshold : thresholds) {
        const auto value = stats.measure(threshold);
        out.push_back({threshold.text, value ? value_text(threshold, *value) : "", value && threshold.holds(*value)});
    }
    return out;
}

std::string plan_text(const LoadPlan& plan) {
    if (!plan.open) return fmt::format("closed loop, {} user{}", plan.users, plan.users == 1 ? "" : "s");
    if (!plan.arrivals.trace.empty()) return fmt::format("open loop, {} recorded arrivals", plan.arrivals.trace.size());
    const std::string gaps = plan.arrivals.gaps == Gaps::constant      ? "constant gaps"
                             : plan.arrivals.gaps == Gaps::exponential ? "Poisson"
                                                                       : fmt::format("gamma gaps of cv {:g}", plan.arrivals.cv);
    const RateStage& first = plan.arrivals.stages.front();
    if (plan.arrivals.stages.size() == 1 && first.from == first.to) return fmt::format("open loop, {}, {:g} a second", gaps, first.to);
    return fmt::format("open loop, {}, {} stages", gaps, plan.arrivals.stages.size());
}

std::string summary_text(const SummaryInput& input) {
    const auto& [plan, outcome, stats, target, server, honesty, thresholds, findings] = input;
    std::string out = fmt::format("\n{}: {}{}\n", target, plan_text(plan), outcome.interrupted ? ", interrupted" : "");
    out += fmt::format("{} calls counted, {} failed, {} unfinished; {:.4g} calls/s, {:.4g} tokens/s over {}\n", stats.calls(),
                       stats.failed(), stats.unfinished(), stats.rate(), stats.token_rate(), duration_text(stats.window_s()));
    out += fmt::format("{} sessions started, {} starts dropped; at most {} calls in flight at once{}{}\n\n", outcome.started,
                       outcome.dropped, outcome.peak_calls,
                       stats.peak_connected() < outcome.peak_calls ? fmt::format(", {} of them connected", stats.peak_connected()) : "",
                       server.peak ? fmt::format(", {} as the server counts at its looks", *server.peak) : "");
    if (outcome.put_off > 0)
        out.insert(out.size() - 1, fmt::format("{} starts put off, each after a session of its user that failed\n", outcome.put_off));
    out += fmt::format("{:<22}{:>10}{:>11}{:>11}{:>11}{:>11}{:>11}\n", "", "count", "mean", "median", "p95", "p99", "max");
    for (const auto& [metric, name] : kRows)
        if (stats.of(metric).count() > 0) out += row(name, stats.of(metric));
    out += "Times count from the planned start; raw ones from the real one.\n";
    if (!stats.errors().empty()) out += "\nErrors\n";
    for (const auto& [kind, error] : stats.errors())
        out += fmt::format("  {:>8} {}{}{}\n", error.count, kind, error.example.empty() ? "" : ": ", error.example);
    out += checks_text("The load itself", honesty);
    out += checks_text("Thresholds", thresholds);
    if (!findings.empty()) out += "\nDiagnosis\n";
    for (const std::string& finding : findings) out += fmt::format("  {}\n", finding);
    return out;
}

json::value summary_json(const SummaryInput& input) {
    const auto& [plan, outcome, stats, target, server, honesty, thresholds, findings] = input;
    json::object metrics;
    for (const auto& [metric, key] : kKeys) metrics[key] = histogram_json(stats.of(metric));
    metrics["raw_ttft"] = histogram_json(stats.raw_ttft());
    json::object errors;
    for (const auto& [kind, error] : stats.errors()) errors[kind] = {{"count", error.count}, {"example", error.example}};
    json::array said(findings.begin(), findings.end());
    return {{"version", 1},
            {"target", target},
            {"plan",
             {{"text", plan_text(plan)},
              {"open", plan.open},
              {"users", plan.open ? json::value(nullptr) : json::value(plan.users)},
              {"warmup_s", to_seconds(plan.warmup)},
              {"duration_s", to_seconds(plan.duration)},
              {"max_in_flight", plan.max_in_flight},
              {"seed", plan.seed}}},
            {"wall_start", outcome.wall_start},
            {"elapsed_s", to_seconds(outcome.elapsed)},
            {"window_s", stats.window_s()},
            {"interrupted", outcome.interrupted},
            {"sessions_started", outcome.started},
            {"starts_dropped", outcome.dropped},
            {"starts_put_off", outcome.put_off},
            {"records_lost", outcome.lost_records},
            {"peak_calls_in_flight", outcome.peak_calls},
            {"peak_calls_connected", stats.peak_connected()},
            {"server_peak", server.peak ? json::value(*server.peak) : json::value(nullptr)},
            {"calls", stats.calls()},
            {"failed", stats.failed()},
            {"unfinished", stats.unfinished()},
            {"error_rate", stats.error_rate()},
            {"calls_per_s", stats.rate()},
            {"tokens_per_s", stats.token_rate()},
            {"prompt_tokens", stats.prompt_tokens()},
            {"completion_tokens", stats.tokens()},
            {"metrics", std::move(metrics)},
            {"errors", std::move(errors)},
            {"honesty", checks_json(honesty)},
            {"thresholds", checks_json(thresholds)},
            {"findings", std::move(said)}};
}

}  // namespace plimsoll::load
