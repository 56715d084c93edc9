#include "cli/load_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "report/html_report.h"

namespace plimsoll::cli {
namespace {

using load::duration_text;
using load::Metric;
using load::Second;

// A curve of at most so many points, so that a day of seconds still draws.
constexpr std::size_t kMaxPoints = 600;

template <class Items, class Value>
std::vector<report::Point> points_of(const Items& items, Value value) {
    std::vector<report::Point> out;
    const std::size_t step = std::max<std::size_t>(1, (items.size() + kMaxPoints - 1) / kMaxPoints);
    for (std::size_t i = 0; i < items.size(); i += step)
        if (const auto point = value(i, items[i])) out.push_back(*point);
    return out;
}

report::Plot make_plot(std::string title, std::string y_title) {
    return {.title = std::move(title), .x_title = "seconds", .y_title = std::move(y_title), .series = {}};
}

void add_series(report::Plot& plot, std::string label, report::Color color, std::vector<report::Point> points) {
    if (points.size() > 1)
        plot.series.push_back({.label = std::move(label), .color = color, .points = std::move(points), .draw_markers = false});
}

std::vector<report::Plot> make_plots(const load::LoadStats& stats, const load::SampleLog& samples) {
    const auto& timeline = stats.timeline();
    const auto over_time = [&](auto value) {
        return points_of(timeline, [&](std::size_t i, const Second& second) {
            return std::optional(report::Point{static_cast<double>(i), static_cast<double>(value(second))});
        });
    };
    const auto when_ended = [&](double Second::* value) {
        return points_of(timeline, [&](std::size_t i, const Second& second) {
            return second.ended > second.failed ? std::optional(report::Point{static_cast<double>(i), second.*value}) : std::nullopt;
        });
    };
    std::vector<report::Plot> plots;
    plots.push_back(make_plot("Latency, each second", "s"));
    add_series(plots.back(), "median", report::kBlue, when_ended(&Second::p50));
    add_series(plots.back(), "p95", report::kOrange, when_ended(&Second::p95));
    plots.push_back(make_plot("Calls, each second", "calls"));
    add_series(plots.back(), "ended", report::kBlue, over_time([](const Second& second) { return second.ended; }));
    add_series(plots.back(), "failed", report::kRed, over_time([](const Second& second) { return second.failed; }));
    add_series(plots.back(), "in flight", report::kMuted, over_time([](const Second& second) { return second.open; }));
    plots.push_back(make_plot("Processor", "share of all cores"));
    add_series(plots.back(), "machine", report::kBlue, points_of(samples.samples, [](std::size_t, const load::Sample& sample) {
                   return sample.machine ? std::optional(report::Point{sample.at_s, sample.machine->busy}) : std::nullopt;
               }));
    add_series(plots.back(), "throttled periods", report::kRed, points_of(samples.samples, [](std::size_t, const load::Sample& sample) {
                   return sample.cgroup && sample.cgroup->periods > 0
                              ? std::optional(report::Point{sample.at_s, static_cast<double>(sample.cgroup->throttled) /
                                                                             static_cast<double>(sample.cgroup->periods)})
                              : std::nullopt;
               }));
    plots.push_back(make_plot("Model server", "requests"));
    for (const auto& [name, color, member] : {std::tuple("running", report::kBlue, &load::ServerSample::running),
                                              std::tuple("waiting", report::kRed, &load::ServerSample::waiting)})
        add_series(plots.back(), name, color, points_of(samples.samples, [member](std::size_t, const load::Sample& sample) {
                       const auto value = sample.server ? *sample.server.*member : std::nullopt;
                       return value ? std::optional(report::Point{sample.at_s, *value}) : std::nullopt;
                   }));
    std::erase_if(plots, [](const report::Plot& plot) { return plot.series.empty(); });
    return plots;
}

report::TableView make_times(const load::LoadStats& stats) {
    report::TableView table;
    table.head = {"", "Count", "Mean", "Median", "p95", "p99", "Max"};
    for (const auto& [metric, name] :
         {std::pair(Metric::ttft, "Time to first token"), std::pair(Metric::itl, "Between tokens"),
          std::pair(Metric::latency, "Latency from the planned start"), std::pair(Metric::raw_latency, "Latency from the real start"),
          std::pair(Metric::session, "Session"), std::pair(Metric::schedule_error, "Schedule error")}) {
        const DurationHistogram& values = stats.of(metric);
        if (values.count() == 0) continue;
        std::vector<std::string> row = {name, fmt::format("{}", values.count()), duration_text(values.mean())};
        for (const double p : {50.0, 95.0, 99.0}) row.push_back(duration_text(values.percentile(p)));
        row.push_back(duration_text(values.max()));
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace

std::string load_report_html(const load::SummaryInput& summary, const load::SampleLog& samples) {
    const load::LoadStats& stats = summary.stats;
    report::ReportView view;
    view.title = "Plimsoll load run";
    view.headline = fmt::format("{}: {:.4g} calls a second, p95 latency {}", load::plan_text(summary.plan), stats.rate(),
                                duration_text(stats.of(Metric::latency).percentile(95)));
    view.facts = {{fmt::format("{}", stats.calls()), "calls counted"},
                  {fmt::format("{:.3g} %", 100 * stats.error_rate()), "failed or unfinished"},
                  {fmt::format("{:.4g}", stats.token_rate()), "tokens a second"},
                  {fmt::format("{}", stats.peak_connected()), "calls connected at once, at most"}};
    report::LoadRunView load;
    load.statements.push_back(fmt::format("{} sessions started, {} starts dropped{}.", summary.outcome.started, summary.outcome.dropped,
                                          summary.outcome.interrupted ? "; the run was interrupted" : ""));
    load.plots = make_plots(stats, samples);
    load.times = make_times(stats);
    load.checks = {.head = {"Check", "Measured", "Result"}, .rows = {}, .text_columns = 3};
    for (const auto* checks : {&summary.honesty, &summary.thresholds})
        for (const load::Check& check : *checks)
            load.checks.rows.push_back({check.text, check.value.empty() ? "nothing" : check.value, check.ok ? "ok" : "failed"});
    load.errors = {.head = {"Error", "First message", "Calls"}, .rows = {}, .text_columns = 2};
    for (const auto& [kind, error] : stats.errors()) load.errors.rows.push_back({kind, error.example, fmt::format("{}", error.count)});
    view.load = std::move(load);
    view.findings = summary.findings;
    view.about = {{summary.target, "target"},
                  {to_iso8601(summary.outcome.wall_start).substr(0, 19) + " UTC", "started"},
                  {"plimsoll " PLIMSOLL_VERSION, "made by"}};
    if (!samples.samples.empty())
        view.about.push_back(
            {fmt::format("{} samples, {:.2g} % of a core", samples.samples.size(), 100 * samples.own_cpu_share), "watched"});
    return report::render_html(view);
}

}  // namespace plimsoll::cli
