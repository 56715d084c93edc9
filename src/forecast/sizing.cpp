#include "forecast/sizing.h"

#include <fmt/format.h>

#include <algorithm>

#include "forecast/leg_plan.h"

namespace plimsoll::forecast {
namespace {

constexpr std::size_t kMinLegsForHeldOut = 4;  // three points are the least that can contradict a line

using Metric = double LegResult::*;

// Legs with both metrics, so that both answers rest on the same runs.
bool is_usable(const LegResult& leg) { return !leg.interrupted && leg.llm_latency_p95 > 0 && leg.workflow_runtime_p95 > 0; }

std::vector<FitPoint> collect_points(const std::vector<LegSizing>& legs, Metric metric) {
    std::vector<FitPoint> points;
    for (const auto& leg : legs)
        if (leg.usable) points.push_back({leg.leg.concurrency, leg.leg.*metric});
    return points;
}

std::optional<HeldOutCheck> check_held_out(std::vector<FitPoint> points, FitRules rules) {
    if (points.size() < kMinLegsForHeldOut) return std::nullopt;
    const auto highest = std::ranges::max_element(points, {}, &FitPoint::concurrency);
    const FitPoint held_out = *highest;
    points.erase(highest);
    const auto fit = compute_slope(points, rules);
    if (!fit) return std::nullopt;
    return HeldOutCheck{held_out.concurrency, fit->at(held_out.concurrency), held_out.seconds};
}

MetricSizing size_by(const std::vector<LegSizing>& legs, Metric metric, double target, TestedLoad load, FitRules rules) {
    MetricSizing sizing;
    const auto points = collect_points(legs, metric);
    auto fit = compute_slope(points, rules);
    if (!fit) {
        sizing.reason = fit.error().message;
        return sizing;
    }
    sizing.fit = std::move(*fit);
    sizing.held_out = check_held_out(points, rules);
    if (target <= 0 || load.users <= 0 || load.gpus <= 0) return sizing;
    const int highest = std::ranges::max(points, {}, &FitPoint::concurrency).concurrency;
    if (const auto estimate = estimate_gpus(*sizing.fit, target, load, highest))
        sizing.estimate = *estimate;
    else
        sizing.reason = estimate.error().message;
    return sizing;
}

bool is_outlier(const MetricSizing& sizing, int concurrency) {
    return sizing.fit && std::ranges::find(sizing.fit->outliers_removed, concurrency) != sizing.fit->outliers_removed.end();
}

// A target of 0 is none: no item is over it.
bool is_over(double value, double target) { return target > 0 && value > target; }

void fill_rough_estimate(LegSizing& sizing, const Targets& targets, int gpus) {
    const LegResult& leg = sizing.leg;
    for (const auto& [id, item] : leg.items) {
        sizing.items_over_llm_latency += is_over(item.llm_latency, targets.llm_latency);
        sizing.items_over_workflow_runtime += is_over(item.workflow_runtime, targets.workflow_runtime);
    }
    if (is_over(leg.llm_latency_p95, targets.llm_latency) || is_over(leg.workflow_runtime_p95, targets.workflow_runtime)) return;
    const TestedLoad load{targets.users, gpus};
    sizing.gpus_by_llm_latency = rough_gpus(leg.llm_latency_p95, targets.llm_latency, leg.concurrency, load);
    sizing.gpus_by_workflow_runtime = rough_gpus(leg.workflow_runtime_p95, targets.workflow_runtime, leg.concurrency, load);
}

int sample_count(const LegResult& leg) { return leg.sessions > 0 ? leg.sessions - leg.failed : static_cast<int>(leg.items.size()); }

// Of joined jobs: those whose config is not that of the first leg.
std::string describe_configs(const std::vector<LegSizing>& legs) {
    std::string first;
    std::vector<int> others;
    for (const LegSizing& sizing : legs) {
        if (!sizing.leg.statistics || sizing.leg.statistics->config.empty()) continue;
        if (first.empty()) first = sizing.leg.statistics->config;
        if (sizing.leg.statistics->config != first) others.push_back(sizing.leg.concurrency);
    }
    if (others.empty()) return "";
    return fmt::format("Measured with another config than the rest: concurrency {}; the line goes through both.", fmt::join(others, ", "));
}

std::vector<std::string> collect_warnings(const std::vector<LegSizing>& legs) {
    std::vector<std::string> small, failed, unused;
    for (const auto& sizing : legs) {
        const LegResult& leg = sizing.leg;
        if (sample_count(leg) < kMinSamplesForP95) small.push_back(fmt::format("{} ({})", leg.concurrency, sample_count(leg)));
        if (leg.failed > 0) failed.push_back(fmt::format("{} ({} of {})", leg.concurrency, leg.failed, leg.sessions));
        if (!sizing.usable) unused.push_back(fmt::format("{}", leg.concurrency));
    }
    std::vector<std::string> warnings;
    for (const auto& sizing : legs)
        if (sizing.leg.statistics)
            for (const auto& finding : sizing.leg.statistics->findings)
                warnings.push_back(fmt::format("At concurrency {}: {}", sizing.leg.concurrency, finding));
    if (std::string configs = describe_configs(legs); !configs.empty()) warnings.push_back(std::move(configs));
    if (!small.empty())
        warnings.push_back(fmt::format(
            "A p95 wants at least {0} sessions (1 - 0.95^{0} > 0.95: one of them then lies beyond it); these concurrencies have "
            "fewer: {1}.",
            kMinSamplesForP95, fmt::join(small, ", ")));
    if (!failed.empty())
        warnings.push_back(fmt::format("Sessions failed and are not in the latencies at concurrency {}.", fmt::join(failed, ", ")));
    if (!unused.empty())
        warnings.push_back(
            fmt::format("Left out of the fit, interrupted or without measurements: concurrency {}.", fmt::join(unused, ", ")));
    return warnings;
}

std::string describe_reach(std::string_view metric, const MetricSizing& sizing, int highest) {
    if (!sizing.estimate) return "";
    const double sessions = sizing.estimate->sessions_at_target;
    if (sizing.estimate->capacity_not_reached)
        return fmt::format(" {} did not rise up to {} sessions: the capacity was not reached, and the estimate is an upper bound.", metric,
                           highest);
    return fmt::format(" {} reaches its target at {:.3g} sessions on the test GPUs, {}.", metric, sessions,
                       sessions <= highest ? "inside the measured range" : "beyond the measured range");
}

std::string describe_extrapolation(const SizingResult& result) {
    int highest = 0;
    for (const auto& leg : result.legs)
        if (leg.usable) highest = std::max(highest, leg.leg.concurrency);
    if (highest == 0 || result.targets.users <= 0) return "";
    const double factor = static_cast<double>(result.targets.users) / highest;
    std::string text =
        factor <= 1 ? fmt::format("{} users lie within the measured range (up to {} sessions at once).", result.targets.users, highest)
                    : fmt::format(
                          "{} users are {:.1f} times the highest measured concurrency ({}); everything beyond it "
                          "rests on the assumption that n times the GPUs carry n times the sessions.",
                          result.targets.users, factor, highest);
    text += describe_reach("LLM latency", result.llm_latency, highest);
    text += describe_reach("Workflow runtime", result.workflow_runtime, highest);
    return text;
}

// NAT's files hold no single calls: the sessions' p95 stand for them.
double observe(const SloRule& rule, const LegResult& leg) {
    if (rule.metric == SloRule::Metric::error_rate) return leg.error_rate();
    const bool is_llm = rule.metric == SloRule::Metric::llm;
    if (leg.statistics) return (is_llm ? leg.statistics->llm_latency : leg.statistics->workflow_runtime).*rule.stat;
    std::vector<std::vector<double>> values;
    for (const auto& [id, item] : leg.items) values.push_back({is_llm ? item.llm_latency : item.workflow_runtime});
    return summarise_sample(values, Random(1)).*rule.stat;
}

bool is_good(const ItemMetrics& item, const std::vector<SloRule>& rules) {
    return std::ranges::all_of(rules, [&](const SloRule& rule) {
        if (rule.metric == SloRule::Metric::error_rate) return true;
        return (rule.metric == SloRule::Metric::llm ? item.llm_latency : item.workflow_runtime) < rule.limit;
    });
}

std::string describe_slo(const SizingResult& result) {
    if (result.slo.empty() || result.legs.empty()) return "";
    std::vector<std::string> rules;
    for (const SloRule& rule : result.slo) rules.push_back(rule.text);
    int kept = 0, broken = 0;
    for (const LegSizing& leg : result.legs)
        if (leg.slo && !leg.slo->kept && (broken == 0 || leg.leg.concurrency < broken)) broken = leg.leg.concurrency;
    for (const LegSizing& leg : result.legs)
        if (leg.slo && leg.slo->kept && (broken == 0 || leg.leg.concurrency < broken)) kept = std::max(kept, leg.leg.concurrency);
    const std::string text = fmt::format("{}", fmt::join(rules, " and "));
    if (kept == 0) return fmt::format("{} is kept at no measured concurrency.", text);
    if (broken == 0) return fmt::format("{} is kept up to {} sessions at once, the most that were measured.", text, kept);
    return fmt::format("{} is kept up to {} sessions at once and broken at {}.", text, kept, broken);
}

std::optional<int> find_knee(const std::vector<LegSizing>& legs) {
    std::vector<PlannedLevel> levels;
    for (const LegSizing& leg : legs)
        if (leg.usable) levels.push_back({.concurrency = leg.leg.concurrency, .throughput = leg.leg.sessions_per_second()});
    return find_knee(levels);
}

std::string describe_throughput(const SizingResult& result) {
    const LegSizing* most = nullptr;
    const LegSizing* knee = nullptr;
    int usable = 0;
    for (const LegSizing& leg : result.legs) {
        if (!leg.usable) continue;
        ++usable;
        if (!most || leg.leg.sessions_per_second() > most->leg.sessions_per_second()) most = &leg;
        if (leg.leg.concurrency == result.knee) knee = &leg;
    }
    if (usable < 2 || !(most->leg.sessions_per_second() > 0)) return "";
    const double rate = 60 * most->leg.sessions_per_second();
    if (!knee)
        return fmt::format("Throughput still grew at {} sessions at once, {:.3g} sessions a minute: its knee lies beyond.",
                           most->leg.concurrency, rate);
    if (knee == most)
        return fmt::format("The knee of throughput is at {} sessions at once, {:.3g} sessions a minute: more at once bring no more.",
                           *result.knee, rate);
    return fmt::format("The knee of throughput is at {} sessions at once, {:.3g} sessions a minute; more at once bring {:.3g} at most.",
                       *result.knee, 60 * knee->leg.sessions_per_second(), rate);
}

std::vector<ScoreTrend> compute_trends(const std::vector<LegSizing>& legs) {
    std::map<std::string, std::vector<ScoredLevel>> levels;
    std::map<std::string, int> better;
    for (const LegSizing& sizing : legs) {
        if (!sizing.leg.statistics) continue;
        for (const auto& [name, scores] : sizing.leg.statistics->session_scores) levels[name].push_back({sizing.leg.concurrency, &scores});
        better.insert(sizing.leg.statistics->better.begin(), sizing.leg.statistics->better.end());
    }
    std::vector<ScoreTrend> trends;
    for (const auto& [name, scored] : levels) trends.push_back(compute_score_trend(name, better[name], scored));
    return trends;
}

}  // namespace

SloOutcome evaluate_slo(const std::vector<SloRule>& rules, const LegResult& leg) {
    SloOutcome outcome{.kept = !leg.items.empty()};
    for (const SloRule& rule : rules) {
        outcome.observed.push_back(observe(rule, leg));
        outcome.kept = outcome.kept && outcome.observed.back() < rule.limit;
    }
    for (const auto& [id, item] : leg.items) outcome.good_sessions += is_good(item, rules) ? 1 : 0;
    if (leg.total_runtime > 0) outcome.goodput = outcome.good_sessions / leg.total_runtime;
    return outcome;
}

SizingResult compute_sizing(const SizingInput& input) {
    const Targets& targets = input.targets;
    SizingResult result{.targets = targets, .gpus = input.gpus, .slo = input.slo};
    for (const auto& leg : input.legs) {
        result.legs.push_back({.leg = leg, .usable = is_usable(leg)});
        if (!input.slo.empty()) result.legs.back().slo = evaluate_slo(input.slo, leg);
    }

    const TestedLoad load{targets.users, input.gpus};
    result.llm_latency = size_by(result.legs, &LegResult::llm_latency_p95, targets.llm_latency, load, input.rules);
    result.workflow_runtime = size_by(result.legs, &LegResult::workflow_runtime_p95, targets.workflow_runtime, load, input.rules);

    const bool wants_gpus = targets.users > 0 && input.gpus > 0 && (targets.llm_latency > 0 || targets.workflow_runtime > 0);
    for (auto& leg : result.legs) {
        if (!leg.usable) continue;
        leg.outlier_llm_latency = is_outlier(result.llm_latency, leg.leg.concurrency);
        leg.outlier_workflow_runtime = is_outlier(result.workflow_runtime, leg.leg.concurrency);
        if (wants_gpus) fill_rough_estimate(leg, targets, input.gpus);
    }
    result.slo_answer = describe_slo(result);
    result.knee = find_knee(result.legs);
    result.throughput_answer = describe_throughput(result);
    result.score_trends = compute_trends(result.legs);
    result.extrapolation = describe_extrapolation(result);
    result.warnings = collect_warnings(result.legs);
    return result;
}

}  // namespace plimsoll::forecast
