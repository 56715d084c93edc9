#include "forecast/sizing_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace plimsoll::forecast {
namespace {

struct Column {
    std::string header;
    std::vector<std::string> cells;
    bool numeric = true;
};

// Characters from the decimal point to the end of a number, the point included: what decides its place in the column.
std::size_t tail_length(const std::string& number) {
    std::size_t point = number.rfind('.');
    if (point == std::string::npos) point = number.rfind('e');
    return point == std::string::npos ? 0 : number.size() - point;
}

// Numbers stand with their decimal points below each other, at the right; text at the left. A header has two characters of
// room beside it.
void align(Column& column) {
    constexpr std::size_t kHeaderRoom = 2;
    if (column.numeric) {
        std::size_t longest = 0;
        for (const auto& cell : column.cells) longest = std::max(longest, tail_length(cell));
        for (auto& cell : column.cells)
            if (!cell.empty()) cell.append(longest - tail_length(cell), ' ');
    }
    std::size_t width = column.header.size() + kHeaderRoom;
    for (const auto& cell : column.cells) width = std::max(width, cell.size());
    const auto pad = [&](std::string& text) {
        text = column.numeric ? fmt::format("{:>{}}", text, width) : fmt::format("{:<{}}", text, width);
    };
    pad(column.header);
    for (auto& cell : column.cells) pad(cell);
}

std::string make_table(std::vector<Column> columns) {
    for (auto& column : columns) align(column);
    std::string out = "|";
    for (const auto& column : columns) out += " " + column.header + " |";
    out += "\n|";
    for (const auto& column : columns) out += std::string(column.header.size() + 2, '-') + "|";
    for (std::size_t row = 0; row < columns.front().cells.size(); ++row) {
        out += "\n|";
        for (const auto& column : columns) out += " " + column.cells[row] + " |";
    }
    return out + "\n";
}

std::string alert_letters(const LegSizing& leg) {
    std::string letters;
    if (leg.leg.interrupted) letters += 'W';
    if (leg.outlier_llm_latency) letters += 'L';
    if (leg.outlier_workflow_runtime) letters += 'R';
    return letters.empty() ? "" : "!" + letters;
}

template <class Cell>
Column make_column(std::string header, const std::vector<LegSizing>& legs, Cell cell, bool numeric = true) {
    Column column{std::move(header), {}, numeric};
    for (const auto& leg : legs) column.cells.push_back(cell(leg));
    return column;
}

std::string format_number(double value) { return fmt::format("{:g}", value); }
std::string format_optional(const std::optional<double>& value) { return value ? format_number(*value) : ""; }

bool all_empty(const Column& column) { return std::ranges::all_of(column.cells, &std::string::empty); }

// Python prints a float with at least one decimal.
std::string format_float(double value) { return to_compact_json(value); }

std::string format_with_interval(double value, const std::optional<Interval>& interval) {
    if (!interval) return fmt::format("{:.3g}", value);
    return fmt::format("{:.3g} ({:.3g} to {:.3g})", value, interval->low, interval->high);
}

void append_estimate(std::string& out, std::string_view metric, const std::optional<GpuEstimate>& estimate) {
    if (!estimate || estimate->capacity_not_reached) return;
    out += fmt::format("Estimated GPU count ({}): {:.1f}\n", metric, estimate->gpus);
}

void append_notes(std::string& out, std::string_view metric, const MetricSizing& sizing) {
    if (!sizing.reason.empty()) out += fmt::format("{}: no estimate, {}.\n", metric, sizing.reason);
    if (sizing.estimate && sizing.estimate->capacity_not_reached)
        out += fmt::format("{}: at most {:.1f} GPUs, capacity not reached.\n", metric, sizing.estimate->gpus);
    if (sizing.held_out)
        out += fmt::format("{}: a line through the other legs predicts {:.3g} s at concurrency {}, measured {:.3g} s ({:+.0f} %).\n",
                           metric, sizing.held_out->predicted, sizing.held_out->concurrency, sizing.held_out->measured,
                           100 * sizing.held_out->relative_error());
}

// A table of one time, a line a leg with statistics.
std::string times_table(std::string_view name, SampleSummary LegStatistics::* member, const std::vector<LegSizing>& legs) {
    struct Stat {
        const char* name;
        double SampleSummary::* value;
        std::optional<Interval> SampleSummary::* interval;
    };
    constexpr Stat kStats[] = {{"mean", &SampleSummary::mean, &SampleSummary::mean_interval},
                               {"p50", &SampleSummary::p50, &SampleSummary::p50_interval},
                               {"p95", &SampleSummary::p95, &SampleSummary::p95_interval},
                               {"p99", &SampleSummary::p99, &SampleSummary::p99_interval}};
    std::vector<Column> columns;
    columns.push_back(make_column("Concurrency", legs, [](const auto& leg) { return std::to_string(leg.leg.concurrency); }));
    for (const Stat& stat : kStats) {
        const auto cell = [&](const LegSizing& leg) {
            const SampleSummary& summary = (*leg.leg.statistics).*member;
            return format_with_interval(summary.*stat.value, summary.*stat.interval);
        };
        columns.push_back(make_column(stat.name, legs, cell, false));
    }
    return fmt::format("{} (s) with 95 % intervals:\n{}\n", name, make_table(std::move(columns)));
}

}  // namespace

std::string sizing_table(const SizingResult& result) {
    const auto& legs = result.legs;
    const Column alerts = make_column("Alerts", legs, alert_letters, false);
    const Column by_latency =
        make_column("GPUs (LLM Latency, Rough)", legs, [](const auto& leg) { return format_optional(leg.gpus_by_llm_latency); });
    const Column by_runtime =
        make_column("GPUs (WF Runtime, Rough)", legs, [](const auto& leg) { return format_optional(leg.gpus_by_workflow_runtime); });

    std::vector<Column> columns;
    if (!all_empty(alerts)) columns.push_back(alerts);
    columns.push_back(make_column("Concurrency", legs, [](const auto& leg) { return std::to_string(leg.leg.concurrency); }));
    columns.push_back(make_column("p95 LLM Latency", legs, [](const auto& leg) { return format_number(leg.leg.llm_latency_p95); }));
    columns.push_back(make_column("p95 WF Runtime", legs, [](const auto& leg) { return format_number(leg.leg.workflow_runtime_p95); }));
    columns.push_back(make_column("Total Runtime", legs, [](const auto& leg) { return format_number(leg.leg.total_runtime); }));
    if (!all_empty(by_latency)) columns.push_back(by_latency);
    if (!all_empty(by_runtime)) columns.push_back(by_runtime);

    std::string out = fmt::format("Targets: LLM Latency ≤ {}s, Workflow Runtime ≤ {}s, Users = {}\nTest parameters: GPUs = {}\n",
                                  format_float(result.targets.llm_latency), format_float(result.targets.workflow_runtime),
                                  result.targets.users, result.gpus);
    out += "Per concurrency results:\n";
    if (!all_empty(alerts)) out += "Alerts!: W = Workflow interrupted, L = LLM latency outlier, R = Workflow runtime outlier\n";
    out += make_table(std::move(columns));

    std::string estimates;
    append_estimate(estimates, "Workflow Runtime", result.workflow_runtime.estimate);
    append_estimate(estimates, "LLM Latency", result.llm_latency.estimate);
    if (!estimates.empty()) out += "\n=== GPU ESTIMATES ===\n" + estimates;
    return out;
}

std::string statistics_table(const SizingResult& result) {
    std::vector<LegSizing> legs;
    std::set<std::string> scores;
    for (const LegSizing& leg : result.legs) {
        if (!leg.leg.statistics) continue;
        legs.push_back(leg);
        for (const auto& [name, score] : leg.leg.statistics->scores) scores.insert(name);
    }
    if (legs.empty()) return "";
    std::vector<Column> columns;
    columns.push_back(make_column("Concurrency", legs, [](const auto& leg) { return std::to_string(leg.leg.concurrency); }));
    columns.push_back(make_column("Runs", legs, [](const auto& leg) { return std::to_string(leg.leg.statistics->runs); }));
    columns.push_back(make_column("Sessions", legs, [](const auto& leg) { return std::to_string(leg.leg.sessions); }));
    columns.push_back(make_column("Errors %", legs, [](const auto& leg) { return fmt::format("{:.1f}", 100 * leg.leg.error_rate()); }));
    columns.push_back(
        make_column("Sessions/s", legs, [](const auto& leg) { return fmt::format("{:.3g}", leg.leg.sessions_per_second()); }));
    columns.push_back(make_column("Tokens/s", legs,
                                  [](const auto& leg) { return fmt::format("{:.1f}", leg.leg.statistics->completion_tokens_per_second); }));
    if (!result.slo.empty()) {
        columns.push_back(
            make_column("Goodput/s", legs, [](const auto& leg) { return leg.slo ? fmt::format("{:.3g}", leg.slo->goodput) : ""; }));
        columns.push_back(make_column("SLO", legs, [](const auto& leg) { return leg.slo && leg.slo->kept ? "kept" : "broken"; }, false));
    }
    std::string out = times_table("Workflow runtime", &LegStatistics::workflow_runtime, legs) +
                      times_table("LLM latency", &LegStatistics::llm_latency, legs) + make_table(std::move(columns));
    if (scores.empty()) return out;
    columns = {make_column("Concurrency", legs, [](const auto& leg) { return std::to_string(leg.leg.concurrency); })};
    for (const std::string& name : scores) {
        const auto cell = [&](const LegSizing& leg) {
            const auto score = leg.leg.statistics->scores.find(name);
            if (score == leg.leg.statistics->scores.end()) return std::string();
            return format_with_interval(score->second.mean, score->second.mean_interval);
        };
        columns.push_back(make_column(name, legs, cell, false));
    }
    return out + "\nScores, mean with 95 % intervals:\n" + make_table(std::move(columns));
}

std::string sizing_notes(const SizingResult& result) {
    std::string out;
    append_notes(out, "LLM latency", result.llm_latency);
    append_notes(out, "Workflow runtime", result.workflow_runtime);
    if (!result.slo_answer.empty()) out += result.slo_answer + "\n";
    if (!result.throughput_answer.empty()) out += result.throughput_answer + "\n";
    if (!result.extrapolation.empty()) out += result.extrapolation + "\n";
    for (const auto& trend : result.score_trends) out += describe(trend) + "\n";
    for (const auto& warning : result.warnings) out += warning + "\n";
    return out;
}

}  // namespace plimsoll::forecast
