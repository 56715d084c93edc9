#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>

#include "base/files.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/profile_files.h"
#include "cli/profile_view.h"
#include "cli/sizing_job.h"
#include "profile/profiler.h"
#include "record/trace_file.h"
#include "report/html_report.h"

namespace plimsoll::cli {
namespace {

namespace fs = std::filesystem;
using report::format_duration;

struct ReportFlags {
    std::string eval_dir;
    std::string sizing_dir;
    std::string output = "report.html";
    std::string prices;
    std::string gantt;
    std::optional<std::size_t> session;
    TargetFlags targets;
};

Result<void> add_eval(const ReportFlags& flags, report::ReportView& view) {
    auto prices = load_prices(flags.prices);
    if (!prices) return fail(prices.error());
    const auto rows_text = load_file(fs::path(flags.eval_dir) / "workflow_output.json");
    const auto rows = rows_text ? parse_json(*rows_text) : fail(rows_text.error());
    profile::ProfilerConfig config;
    config.base_metrics = true;
    event::SkipReport skipped;
    const profile::SessionSource source = [&](const auto& on_session) -> Result<event::SkipReport> {
        record::TraceReader reader(on_session, false);
        PLIMSOLL_TRY(reader.read(flags.eval_dir));
        reader.finish();
        return skipped = reader.sources().front().skipped;
    };
    profile::NoArtefacts none;
    auto profiled = profile::profile(source, {std::move(*prices), flags.session}, config, none);
    if (!profiled) return fail(profiled.error());
    profile::ProfileResult profile = std::move(*profiled);
    PLIMSOLL_TRY(check_session(flags.session, profile.sessions));
    if (!flags.gantt.empty()) PLIMSOLL_TRY(save_gantt(profile, flags.gantt, flags.session));
    add_profiled_run(flags.eval_dir, std::move(profile), skipped, rows ? *rows : json::value(), view);
    return {};
}

std::string gpus_text(double gpus) { return fmt::format("{:.0f}", std::ceil(gpus)); }

// What the target users need, in one sentence.
std::string sizing_answer(const forecast::SizingResult& result) {
    const forecast::MetricSizing& sizing = result.targets.workflow_runtime > 0 ? result.workflow_runtime : result.llm_latency;
    const std::string target = result.targets.workflow_runtime > 0
                                   ? fmt::format("p95 session ≤ {}", format_duration(result.targets.workflow_runtime))
                                   : fmt::format("p95 model call ≤ {}", format_duration(result.targets.llm_latency));
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

// Times with their 95 % intervals where the run has them.
report::TableView make_leg_table(const forecast::SizingResult& result) {
    std::set<std::string> scores;
    for (const forecast::LegSizing& leg : result.legs)
        if (leg.leg.statistics)
            for (const auto& [name, score] : leg.leg.statistics->scores) scores.insert(name);
    report::TableView table;
    table.head = {"Concurrency", "p95 session", "p95 model call", "Sessions", "Failed", "Duration", "Tokens/s"};
    if (!result.slo.empty()) table.head.insert(table.head.end(), {"Goodput/s", "SLO"});
    table.head.insert(table.head.end(), scores.begin(), scores.end());
    for (const forecast::LegSizing& sizing : result.legs) {
        const forecast::LegResult& leg = sizing.leg;
        const auto statistics = leg.statistics.value_or(forecast::LegStatistics());
        std::vector<std::string> row = {fmt::format("{}", leg.concurrency),
                                        format_with_interval(leg.workflow_runtime_p95, statistics.workflow_runtime.p95_interval),
                                        format_with_interval(leg.llm_latency_p95, statistics.llm_latency.p95_interval),
                                        fmt::format("{}", leg.sessions),
                                        fmt::format("{}", leg.failed),
                                        format_duration(leg.total_runtime),
                                        leg.statistics ? report::format_short(statistics.completion_tokens_per_second) : ""};
        if (sizing.slo) row.insert(row.end(), {fmt::format("{:.3g}", sizing.slo->goodput), sizing.slo->kept ? "kept" : "broken"});
        for (const std::string& name : scores) {
            const auto score = statistics.scores.find(name);
            row.push_back(score == statistics.scores.end() ? "" : fmt::format("{:.4g}", score->second));
        }
        table.rows.push_back(std::move(row));
    }
    return table;
}

Result<void> add_sizing(const ReportFlags& flags, report::ReportView& view) {
    auto online = load_online_legs(flags.sizing_dir);
    if (!online) return fail(online.error());
    // Without targets of its own the report is about what the run was asked for.
    TargetFlags targets = flags.targets;
    if (targets.targets.users == 0 && online->asked) {
        targets.targets = online->asked->targets;
        targets.gpus = online->asked->gpus;
    }
    if (targets.slo.empty() && online->asked) targets.slo = online->asked->slo;
    const forecast::SizingResult result = compute(targets, std::move(online->legs));
    report::SizingView sizing;
    sizing.metrics = make_metric_views(result);
    if (!result.slo_answer.empty()) sizing.statements.push_back(result.slo_answer);
    if (!result.extrapolation.empty()) sizing.statements.push_back(result.extrapolation);
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
    view.about.push_back({flags.sizing_dir, "sizing run"});
    return {};
}

int write_report(const ReportFlags& flags) {
    report::ReportView view;
    view.title = "Plimsoll report";
    view.headline = "One agent, profiled";
    for (const auto& [dir, add] : {std::pair(&flags.eval_dir, &add_eval), std::pair(&flags.sizing_dir, &add_sizing)}) {
        if (dir->empty()) continue;
        if (const auto added = add(flags, view); !added) {
            log_error("{}", added.error().message);
            return 1;
        }
    }
    if (const auto saved = save_report(view, flags.output); !saved) {
        log_error("{}", saved.error().message);
        return 1;
    }
    std::printf("%s\n%s\n", view.headline.c_str(), fs::absolute(flags.output).c_str());
    return 0;
}

}  // namespace

void add_report_command(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("report", "one self-contained HTML file from a profiled run, a sizing run, or both");
    const auto flags = std::make_shared<ReportFlags>();
    command->add_option("--eval_dir,--eval-dir", flags->eval_dir, "run folder of an eval");
    command->add_option("--sizing_dir,--sizing-dir", flags->sizing_dir, "--calc_output_dir of a sizing calc");
    command->add_option("--gantt", flags->gantt, "also write a Gantt chart as PNG: of all sessions, or of --session");
    add_report_flags(*command, flags->prices, flags->session);
    command->add_option("-o,--output", flags->output, "file to write")->capture_default_str();
    add_target_flags(*command, flags->targets);
    command->callback([&run, flags] {
        if (flags->eval_dir.empty() && flags->sizing_dir.empty())
            throw CLI::ValidationError("report", "give --eval_dir, --sizing_dir or both");
        run = [flags] { return write_report(*flags); };
    });
}

}  // namespace plimsoll::cli
