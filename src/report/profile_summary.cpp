#include <fmt/format.h>

#include "report/html_report.h"
#include "report/plot.h"

namespace plimsoll::report {
namespace {

std::vector<std::string> latency_findings(const std::vector<profile::StepLatency>& steps) {
    if (steps.empty()) return {};
    const profile::StepLatency& top = steps.front();
    std::vector<std::string> findings = {fmt::format("{} of the time goes into {} {}: {} calls, median {}, p95 {}.",
                                                     format_percent(top.self_time_share), event::to_string(top.category), top.name, top.n,
                                                     format_duration(top.p50), format_duration(top.p95))};
    if (top.ttft_p50 && top.p50 > 0)
        findings.push_back(fmt::format("A call waits {} of its median for the first token, {} in all.",
                                       format_percent(*top.ttft_p50 / top.p50), format_duration(*top.ttft_p50)));
    return findings;
}

std::vector<std::string> insight_findings(const profile::Insights& insights) {
    constexpr double kWorthSaying = 0.01;
    std::vector<std::string> findings;
    if (const auto& paths = insights.critical_path; !paths.steps.empty() && paths.runtime > 0)
        findings.push_back(fmt::format("{} holds the session up longest: {} of the runtime is on its critical path.",
                                       to_string(paths.steps.front().step), format_percent(paths.steps.front().path_share)));
    for (const profile::WhatIfRow& row : insights.what_if.rows)
        if (row.factor > 0 && row.gain_p95 >= kWorthSaying) {
            findings.push_back(fmt::format("Were {} twice as fast, the p95 session would take {} instead of {} (−{}).", to_string(row.step),
                                           format_duration(row.p95), format_duration(insights.what_if.p95), format_percent(row.gain_p95)));
            break;
        }
    if (insights.cold_start.sessions > 0)
        findings.push_back(fmt::format("The first {} sessions started cold: {} on average against {} later.", insights.cold_start.sessions,
                                       format_duration(insights.cold_start.cold_mean), format_duration(insights.cold_start.warm_median)));
    if (insights.error_cost.total.failed > 0)
        findings.push_back(fmt::format("{} calls failed and cost {}.", insights.error_cost.total.failed,
                                       format_duration(insights.error_cost.total.failed_seconds)));
    if (insights.wasted_work.branches > 0)
        findings.push_back(fmt::format("{} branches worked {} for nothing, {} of all tokens.", insights.wasted_work.branches,
                                       format_duration(insights.wasted_work.seconds), format_percent(insights.wasted_work.token_share)));
    return findings;
}

}  // namespace

void add_profile(ReportView& view, profile::ProfileResult profile) {
    if (profile.workflow_runtime)
        view.facts.push_back(
            {format_duration(profile.workflow_runtime->p95), fmt::format("p95 session, {} profiled", profile.insights.what_if.sessions)});
    view.facts.push_back(
        {format_duration(profile.llm_latency_ci.percentiles.p95), fmt::format("p95 model call, {} calls", profile.llm_latency_ci.n)});
    if (const auto& cost = profile.insights.token_cost)
        view.facts.push_back(
            {fmt::format("{:.4g}", cost->per_session.mean), "mean token cost of a session, in the price table's currency"});
    for (const auto& findings : {latency_findings(profile.step_latencies), insight_findings(profile.insights)})
        view.findings.insert(view.findings.end(), findings.begin(), findings.end());
    for (const auto& [analysis, error] : profile.failures) view.findings.push_back(fmt::format("{} failed: {}", analysis, error.message));
    view.profile = std::move(profile);
}

}  // namespace plimsoll::report
