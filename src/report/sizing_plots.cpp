#include "report/sizing_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace plimsoll::report {
namespace {

using forecast::LegResult;
using forecast::LegSizing;
using forecast::LegStatistics;
using forecast::SampleSummary;

constexpr const char* kUsers = "Sessions at once";

// One of the two times that are sized by.
struct Metric {
    const char* name;
    double LegResult::* p95;
    forecast::MetricSizing forecast::SizingResult::* sizing;
    double forecast::Targets::* target;
    SampleSummary LegStatistics::* summary;
    const char* session;  // the title of its percentiles
    Color color;
    Marker marker;
};
constexpr Metric kMetrics[] = {
    {"p95 LLM Latency (s)", &LegResult::llm_latency_p95, &forecast::SizingResult::llm_latency, &forecast::Targets::llm_latency,
     &LegStatistics::llm_latency, "A model call", kBlue, Marker::circle},
    {"p95 Workflow Runtime (s)", &LegResult::workflow_runtime_p95, &forecast::SizingResult::workflow_runtime,
     &forecast::Targets::workflow_runtime, &LegStatistics::workflow_runtime, "A session", kGreen, Marker::square}};

// Legs by rising concurrency.
std::vector<const LegSizing*> sorted_legs(const forecast::SizingResult& result, auto wanted) {
    std::vector<const LegSizing*> legs;
    for (const LegSizing& leg : result.legs)
        if (wanted(leg)) legs.push_back(&leg);
    std::ranges::sort(legs, {}, [](const LegSizing* leg) { return leg->leg.concurrency; });
    return legs;
}

double highest_concurrency(const std::vector<const LegSizing*>& legs) {
    return legs.empty() ? 0 : static_cast<double>(legs.back()->leg.concurrency);
}

ErrorBar error_bar(const std::optional<forecast::Interval>& interval) {
    constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
    return interval ? ErrorBar{interval->low, interval->high} : ErrorBar{kNone, kNone};
}

// What `point` gives of each leg: y, and its interval.
Series over_legs(std::string label, Color color, const std::vector<const LegSizing*>& legs, auto point) {
    Series series{.label = std::move(label), .color = color, .points = {}, .error_bars = {}};
    for (const LegSizing* leg : legs) {
        const std::pair<double, std::optional<forecast::Interval>> value = point(*leg);
        series.points.push_back({static_cast<double>(leg->leg.concurrency), value.first});
        series.error_bars.push_back(error_bar(value.second));
    }
    return series;
}

Series dashed_line(std::string label, Color color, Point from, Point to) {
    return {.label = std::move(label), .color = color, .points = {from, to}, .dashed = true, .draw_markers = false};
}

Plot make_simple_plot(const std::vector<const LegSizing*>& legs) {
    Plot plot{
        .title = "Concurrency vs. p95 LLM Latency and Workflow Runtime", .x_title = "Concurrency", .y_title = "Seconds", .series = {}};
    for (const Metric& metric : kMetrics) {
        Series series{.label = metric.name, .color = metric.color, .points = {}, .marker = metric.marker};
        for (const LegSizing* leg : legs) series.points.push_back({static_cast<double>(leg->leg.concurrency), leg->leg.*metric.p95});
        plot.series.push_back(std::move(series));
    }
    return plot;
}

Plot make_analysis_plot(const Metric& metric, const forecast::SizingResult& result, const std::vector<const LegSizing*>& legs) {
    Plot plot{.title = std::string("Concurrency vs. ") + metric.name, .x_title = "Concurrency", .y_title = metric.name, .series = {}};
    const auto& fit = (result.*metric.sizing).fit;
    const auto is_removed = [&](int concurrency) {
        return fit && std::ranges::find(fit->outliers_removed, concurrency) != fit->outliers_removed.end();
    };
    Series kept{.label = "measured", .color = metric.color, .points = {}, .draw_line = false};
    Series removed{.label = "left out", .color = kRed, .points = {}, .draw_line = false, .marker = Marker::cross};
    for (const LegSizing* leg : legs)
        (is_removed(leg->leg.concurrency) ? removed : kept)
            .points.push_back({static_cast<double>(leg->leg.concurrency), leg->leg.*metric.p95});
    const double highest = highest_concurrency(legs);
    if (fit)
        plot.series.push_back(dashed_line(fmt::format("{:.4g} s + {:.4g} s × C, R² {:.3f}", fit->intercept, fit->slope, fit->r_squared),
                                          kMuted, {0, fit->intercept}, {highest, fit->at(highest)}));
    plot.series.push_back(std::move(kept));
    if (!removed.points.empty()) plot.series.push_back(std::move(removed));
    if (const double target = result.targets.*metric.target; target > 0)
        plot.series.push_back(dashed_line(fmt::format("target {} s", format_short(target)), kRed, {0, target}, {highest, target}));
    return plot;
}

Plot make_percentile_plot(const Metric& metric, const std::vector<const LegSizing*>& legs) {
    Plot plot{.title = fmt::format("{} with 95 % intervals", metric.session), .x_title = kUsers, .y_title = "Seconds", .series = {}};
    const auto add = [&](const char* label, Color color, double SampleSummary::* value,
                         std::optional<forecast::Interval> SampleSummary::* interval) {
        plot.series.push_back(over_legs(label, color, legs, [&](const LegSizing& leg) {
            const SampleSummary& summary = (*leg.leg.statistics).*metric.summary;
            return std::pair(summary.*value, summary.*interval);
        }));
    };
    add("p50", kGreen, &SampleSummary::p50, &SampleSummary::p50_interval);
    add("p95", kBlue, &SampleSummary::p95, &SampleSummary::p95_interval);
    add("p99", kRed, &SampleSummary::p99, &SampleSummary::p99_interval);
    return plot;
}

std::vector<Plot> make_throughput_plots(const forecast::SizingResult& result, const std::vector<const LegSizing*>& legs) {
    Plot sessions{.title = "Sessions finished a minute", .x_title = kUsers, .y_title = "Sessions a minute", .series = {}};
    Series finished{.label = "measured", .color = kGreen, .points = {}};
    Plot tokens{.title = "Output tokens a second", .x_title = kUsers, .y_title = "Tokens a second", .series = {}};
    Series produced{.label = "measured", .color = kViolet, .points = {}};
    double most = 0;
    for (const LegSizing* leg : legs) {
        const auto concurrency = static_cast<double>(leg->leg.concurrency);
        const double rate = 60 * leg->leg.sessions_per_second();
        finished.points.push_back({concurrency, rate});
        most = std::max(most, rate);
        if (leg->leg.statistics) produced.points.push_back({concurrency, leg->leg.statistics->completion_tokens_per_second});
    }
    sessions.series.push_back(std::move(finished));
    if (result.knee) {
        const auto knee = static_cast<double>(*result.knee);
        sessions.series.push_back(dashed_line(fmt::format("knee at {}", *result.knee), kMuted, {knee, 0}, {knee, most}));
    }
    std::vector<Plot> plots = {std::move(sessions)};
    if (std::ranges::any_of(produced.points, [](const Point& point) { return point.y > 0; })) {
        tokens.series.push_back(std::move(produced));
        plots.push_back(std::move(tokens));
    }
    return plots;
}

std::vector<Plot> make_score_plots(const std::vector<const LegSizing*>& legs) {
    std::set<std::string> names;
    for (const LegSizing* leg : legs)
        for (const auto& [name, score] : leg->leg.statistics->scores) names.insert(name);
    std::vector<Plot> plots;
    for (const std::string& name : names) {
        if (plots.size() == kMaxScorePlots) break;
        std::vector<const LegSizing*> scored;
        for (const LegSizing* leg : legs)
            if (leg->leg.statistics->scores.contains(name)) scored.push_back(leg);
        plots.push_back({.title = name, .x_title = kUsers, .y_title = "Score", .series = {}});
        plots.back().series.push_back(over_legs("mean with 95 % interval", kBlue, scored, [&](const LegSizing& leg) {
            const SampleSummary& score = leg.leg.statistics->scores.at(name);
            return std::pair(score.mean, score.mean_interval);
        }));
    }
    return plots;
}

}  // namespace

std::vector<Picture> make_sizing_pictures(const forecast::SizingResult& result) {
    const auto usable = sorted_legs(result, [](const LegSizing& leg) { return leg.usable; });
    const auto known = sorted_legs(result, [](const LegSizing& leg) { return leg.usable && leg.leg.statistics.has_value(); });
    std::vector<Picture> pictures;
    if (usable.empty()) return pictures;
    pictures.push_back({"concurrency_vs_p95_simple", {make_simple_plot(usable)}});
    pictures.push_back({"concurrency_vs_p95_analysis", {}});
    for (const Metric& metric : kMetrics) pictures.back().plots.push_back(make_analysis_plot(metric, result, usable));
    if (!known.empty()) {
        pictures.push_back({"percentiles_over_users", {}});
        for (const Metric& metric : kMetrics) pictures.back().plots.push_back(make_percentile_plot(metric, known));
    }
    pictures.push_back({"throughput_over_users", make_throughput_plots(result, usable)});
    if (auto plots = make_score_plots(known); !plots.empty()) pictures.push_back({"scores_over_users", std::move(plots)});
    return pictures;
}

}  // namespace plimsoll::report
