#include "cli/sizing_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cli/pictures.h"
#include "report/sizing_plots.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using report::format_duration;

std::string gpus_text(double gpus) { return fmt::format("{:.0f}", std::ceil(gpus)); }

// Without a number of users: what the highest load was like.
std::string measured_answer(const forecast::SizingResult& result) {
    const auto highest =
        std::ranges::max_element(result.legs, {}, [](const forecast::LegSizing& leg) { return leg.usable ? leg.leg.concurrency : 0; });
    if (highest == result.legs.end() || !highest->usable) return "Nothing could be measured.";
    return fmt::format("{} sessions at once: p95 of a session {}, {} sessions a minute.", highest->leg.concurrency,
                       format_duration(highest->leg.workflow_runtime_p95), report::format_short(60 * highest->leg.sessions_per_second()));
}

// What the target users need, in one sentence.
std::string sizing_answer(const forecast::SizingResult& result) {
    const forecast::MetricSizing& sizing = result.targets.workflow_runtime > 0 ? result.workflow_runtime : result.llm_latency;
    const std::string target = result.targets.workflow_runtime > 0
                                   ? fmt::format("p95 session ≤ {}", format_duration(result.targets.workflow_runtime))
                                   : fmt::format("p95 model call ≤ {}", format_duration(result.targets.llm_latency));
    if (result.targets.users <= 0) return measured_answer(result);
    if (!sizing.estimate)
        return fmt::format("No answer for {} users: {}.", result.targets.users,
                           sizing.reason.empty() ? "no target was set" : sizing.reason);
    const forecast::GpuEstimate& estimate = *sizing.estimate;
    if (estimate.capacity_not_reached)
        return fmt::format("{} users need at most {} model servers ({}): capacity was not reached at {} at once.", result.targets.users,
                           gpus_text(estimate.gpus), target, report::format_short(estimate.sessions_at_target));
    int highest = 0;
    for (const auto& leg : result.legs) highest = std::max(highest, leg.leg.concurrency);
    return fmt::format("{} users at once need {} model servers like the tested one ({}); one carries {}. Measured up to {} at once.",
                       result.targets.users, gpus_text(estimate.gpus), target,
                       report::format_short(std::floor(estimate.sessions_at_target / result.gpus)), highest);
}

std::string format_with_interval(double seconds, const std::optional<forecast::Interval>& interval) {
    if (!interval) return format_duration(seconds);
    return fmt::format("{} ({} to {})", format_duration(seconds), format_duration(std::max(0.0, interval->low)),
                       format_duration(interval->high));
}

std::string format_score(const forecast::SampleSummary& score) {
    if (!score.mean_interval) return fmt::format("{:.4g}", score.mean);
    return fmt::format("{:.4g} ({:.4g} to {:.4g})", score.mean, score.mean_interval->low, score.mean_interval->high);
}

// Times with their 95 % intervals where the run has them.
report::TableView make_leg_table(const forecast::SizingResult& result) {
    std::set<std::string> scores;
    for (const forecast::LegSizing& leg : result.legs)
        if (leg.leg.statistics)
            for (const auto& [name, score] : leg.leg.statistics->scores) scores.insert(name);
    report::TableView table;
    table.head = {"Concurrency", "p50 session", "p95 session", "p99 session",  "p95 model call",
                  "Sessions",    "Failed",      "Duration",    "Sessions/min", "Tokens/s"};
    if (!result.slo.empty()) table.head.insert(table.head.end(), {"Goodput/s", "SLO"});
    table.head.insert(table.head.end(), scores.begin(), scores.end());
    for (const forecast::LegSizing& sizing : result.legs) {
        const forecast::LegResult& leg = sizing.leg;
        const auto statistics = leg.statistics.value_or(forecast::LegStatistics());
        const auto& runtime = statistics.workflow_runtime;
        std::vector<std::string> row = {fmt::format("{}", leg.concurrency),
                                        leg.statistics ? format_with_interval(runtime.p50, runtime.p50_interval) : "",
                                        format_with_interval(leg.workflow_runtime_p95, runtime.p95_interval),
                                        leg.statistics ? format_with_interval(runtime.p99, runtime.p99_interval) : "",
                                        format_with_interval(leg.llm_latency_p95, statistics.llm_latency.p95_interval),
                                        fmt::format("{}", leg.sessions),
                                        fmt::format("{}", leg.failed),
                                        format_duration(leg.total_runtime),
                                        report::format_short(60 * leg.sessions_per_second()),
                                        leg.statistics ? report::format_short(statistics.completion_tokens_per_second) : ""};
        if (sizing.slo) row.insert(row.end(), {fmt::format("{:.3g}", sizing.slo->goodput), sizing.slo->kept ? "kept" : "broken"});
        for (const std::string& name : scores) {
            const auto score = statistics.scores.find(name);
            row.push_back(score == statistics.scores.end() ? "" : format_score(score->second));
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::vector<report::SizingView::Watched> watched_runs(const fs::path& job) {
    std::vector<report::SizingView::Watched> watched;
    for (const RunFolder& folder : list_runs(job)) {
        auto pictures = load_machine_picture(folder.path);
        if (pictures.empty()) continue;
        const auto& [concurrency, repetition] = folder.run;
        watched.push_back(
            {fmt::format("The machine at {} at once{}", concurrency, repetition == 1 ? std::string() : fmt::format(", run {}", repetition)),
             std::move(pictures)});
    }
    return watched;
}

}  // namespace

Result<void> add_sizing(const fs::path& dir, TargetFlags targets, report::ReportView& view) {
    auto online = load_online_legs(dir);
    if (!online) return fail(online.error());
    // Without targets of its own the report is about what the run was asked for.
    if (targets.targets.users == 0 && online->asked) {
        targets.targets = online->asked->targets;
        targets.gpus = online->asked->gpus;
    }
    if (targets.slo.empty() && online->asked) targets.slo = online->asked->slo;
    const forecast::SizingResult result = compute(targets, std::move(online->legs));
    report::SizingView sizing;
    sizing.pictures = report::make_sizing_pictures(result);
    sizing.watched = watched_runs(online->job);
    for (const std::string* text : {&result.slo_answer, &result.throughput_answer, &result.extrapolation})
        if (!text->empty()) sizing.statements.push_back(*text);
    for (const forecast::ScoreTrend& trend : result.score_trends) sizing.statements.push_back(forecast::describe(trend));
    for (const auto* metric : {&result.workflow_runtime, &result.llm_latency})
        if (metric->held_out)
            sizing.statements.push_back(fmt::format(
                "Held-out check of the {}: the line through the lower loads says {} at {} at once, measured {} ({:+.0f} %).",
                metric == &result.workflow_runtime ? "session" : "model call", format_duration(metric->held_out->predicted),
                metric->held_out->concurrency, format_duration(metric->held_out->measured), 100 * metric->held_out->relative_error()));
    sizing.statements.insert(sizing.statements.end(), result.warnings.begin(), result.warnings.end());
    sizing.legs = make_leg_table(result);
    if (!result.legs.empty()) {
        const auto highest = std::ranges::max_element(result.legs, {}, [](const auto& leg) { return leg.leg.concurrency; });
        view.facts.push_back(
            {format_duration(highest->leg.workflow_runtime_p95), fmt::format("p95 session at {} at once", highest->leg.concurrency)});
        if (highest->leg.total_runtime > 0)
            view.facts.push_back(
                {report::format_short(60 * highest->leg.sessions / highest->leg.total_runtime), "sessions a minute at that load"});
    }
    view.headline = sizing_answer(result);
    view.sizing = std::move(sizing);
    view.about.push_back({dir.string(), "sizing run"});
    return {};
}

}  // namespace plimsoll::cli
