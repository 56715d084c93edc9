#include "cli/forecast_report.h"

#include <fmt/format.h>

#include <cmath>

#include "cli/profile_view.h"

namespace plimsoll::cli {
namespace {

using report::format_duration;

report::ForecastCurves make_curves(const forecast::Recording& recording, const forecast::ForecastRequest& request,
                                   const forecast::ForecastResult& result) {
    report::ForecastCurves curves;
    for (const forecast::Level& level : recording.levels) {
        report::ForecastCurves::Level point{.concurrency = level.concurrency, .measured = level.p95(), .played = std::nullopt};
        for (const forecast::LevelCheck& check : result.checks)
            if (check.concurrency == level.concurrency) point.played = point.measured * std::exp(check.p95_error);
        curves.levels.push_back(point);
    }
    for (const forecast::UsersForecast& one : result.forecasts)
        curves.forecasts.push_back(
            {one.users, one.workflow_p95.value, one.workflow_p95.low, one.workflow_p95.high, one.sessions_per_second, one.replicas_needed});
    curves.nat_linear = result.nat_linear;
    if (request.slo && request.slo->metric == forecast::Slo::Metric::workflow) curves.target = request.slo->seconds;
    curves.knee_users = result.knee_users;
    return curves;
}

report::TableView make_table(const forecast::ForecastResult& result) {
    report::TableView table;
    table.head = {"Users",    "p95 session", "90 % interval", "p95 model call", "Sessions a minute", "Meets the target",
                  "Replicas", "NAT's line"};
    for (const forecast::UsersForecast& one : result.forecasts) {
        const auto nat = result.nat_linear.find(one.users);
        table.rows.push_back({fmt::format("{}", one.users), format_duration(one.workflow_p95.value),
                              fmt::format("{} to {}", format_duration(one.workflow_p95.low), format_duration(one.workflow_p95.high)),
                              format_duration(one.llm_p95.value), report::format_short(60 * one.sessions_per_second),
                              one.meets_slo ? format_percent(*one.meets_slo) : "",
                              one.replicas_needed ? fmt::format("{}", *one.replicas_needed) : "",
                              nat == result.nat_linear.end() ? "" : format_duration(nat->second)});
    }
    return table;
}

}  // namespace

Result<void> save_forecast_report(const forecast::Recording& recording, const forecast::ForecastRequest& request,
                                  const forecast::ForecastResult& result, const std::filesystem::path& file) {
    report::ReportView view{.title = "Plimsoll forecast", .headline = "How this agent will behave with more users"};
    if (result.refused) view.headline = fmt::format("No forecast: {}", *result.refused);
    if (!result.forecasts.empty() && !result.refused) {
        const forecast::UsersForecast& most = result.forecasts.back();
        view.headline = fmt::format("{} users: p95 of a session {} ({} to {})", most.users, format_duration(most.workflow_p95.value),
                                    format_duration(most.workflow_p95.low), format_duration(most.workflow_p95.high));
    }
    if (!result.bottleneck.empty()) view.facts.push_back({result.bottleneck, "bottleneck"});
    if (result.knee_users > 0) view.facts.push_back({fmt::format("{}", result.knee_users), "users at the knee"});
    if (result.held_out)
        view.facts.push_back({fmt::format("{:+.0f} %", 100 * result.held_out->error()),
                              fmt::format("error on the held-out level, {} at once", result.held_out->concurrency)});
    if (result.next_concurrency) view.facts.push_back({fmt::format("{}", *result.next_concurrency), "concurrency worth measuring next"});
    view.forecast = report::ForecastView{result.warnings, make_curves(recording, request, result), make_table(result)};
    return save_report(view, file);
}

}  // namespace plimsoll::cli
