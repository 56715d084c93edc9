#include "report/machine_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

#include "eval/csv.h"

namespace plimsoll::report {
namespace {

// Columns that belong together. A column is taken by the first kind whose prefix and suffix it has; what stands between them, or
// `label`, names its line.
struct ColumnKind {
    std::size_t plot;
    std::string_view prefix, suffix, label;
    bool dashed = false;
};

enum PlotIndex : std::size_t { processors, shares, memory, gpus, gpu_memory, server, plot_count };

struct PlotText {
    std::string_view title, y_title;
};
constexpr PlotText kPlots[plot_count] = {{"Processor", "Cores in use"},
                                         {"Waiting and throttling", "Share of the time"},
                                         {"Memory", "MB"},
                                         {"GPU and KV cache", "Share in use"},
                                         {"GPU memory", "MB"},
                                         {"Model server", "Requests"}};

constexpr ColumnKind kKinds[] = {{processors, "cgroup_quota_cores", "", "limit of the control group", true},
                                 {processors, "cgroup_usage_cores", "", "control group"},
                                 {processors, "", "_cores", ""},
                                 {shares, "machine_busy", "", "machine busy"},
                                 {shares, "machine_steal", "", "taken by other machines"},
                                 {shares, "psi_cpu_some", "", "something waited for a core"},
                                 {shares, "cgroup_throttled_share", "", "periods throttled"},
                                 {shares, "", "_run_queue", ""},
                                 {memory, "", "_rss_mb", ""},
                                 {gpu_memory, "gpu", "_memory_used_mb", ""},
                                 {gpus, "gpu_utilization_mean", "", "mean"},
                                 {gpus, "gpu", "_utilization", ""},
                                 {gpus, "server", "_kv_usage", ""},
                                 {server, "server", "_running", ""},
                                 {server, "server", "_waiting", ""}};

constexpr Color kColors[kMaxMachineSeries] = {kBlue, kOrange, kGreen, kRed, kViolet, kTeal, kMuted, kInk};

std::optional<double> parse_number(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

const ColumnKind* kind_of(std::string_view column) {
    const auto matches = [&](const ColumnKind& kind) {
        return column.size() >= kind.prefix.size() + kind.suffix.size() && column.starts_with(kind.prefix) && column.ends_with(kind.suffix);
    };
    const auto* kind = std::ranges::find_if(kKinds, matches);
    return kind == std::end(kKinds) ? nullptr : kind;
}

std::string label_of(const ColumnKind& kind, std::string_view column) {
    if (!kind.label.empty()) return std::string(kind.label);
    if (kind.suffix == "_running" || kind.suffix == "_waiting" || kind.suffix == "_kv_usage") {
        std::string words(column);
        std::ranges::replace(words, '_', ' ');
        return words;
    }
    std::string label(column.substr(0, column.size() - kind.suffix.size()));
    if (kind.suffix == "_run_queue") label += " in the run queue";
    return label;
}

// The highest of each group of neighbours.
std::vector<Point> thin(const std::vector<Point>& points) {
    const std::size_t step = (points.size() + kMaxMachinePoints - 1) / kMaxMachinePoints;
    if (step <= 1) return points;
    std::vector<Point> out;
    for (std::size_t i = 0; i < points.size(); i += step)
        out.push_back(*std::max_element(points.begin() + static_cast<std::ptrdiff_t>(i),
                                        points.begin() + static_cast<std::ptrdiff_t>(std::min(points.size(), i + step)),
                                        [](const Point& a, const Point& b) { return a.y < b.y; }));
    return out;
}

std::vector<Point> column_points(const std::vector<eval::CsvRecord>& rows, std::size_t time, std::size_t column) {
    std::vector<Point> points;
    for (std::size_t row = 1; row < rows.size(); ++row) {
        const auto& fields = rows[row].fields;
        if (fields.size() <= std::max(time, column)) continue;
        const auto x = parse_number(fields[time]), y = parse_number(fields[column]);
        if (x && y) points.push_back({*x, *y});
    }
    return thin(points);
}

}  // namespace

Result<std::vector<Plot>> make_machine_plots(std::string_view samples_csv) {
    const auto rows = eval::parse_csv(samples_csv);
    if (!rows) return fail(rows.error());
    if (rows->empty()) return fail(ErrorCode::parse, "no samples");
    const auto& head = rows->front().fields;
    const auto time = std::ranges::find(head, "at_s") - head.begin();
    if (time == std::ssize(head)) return fail(ErrorCode::parse, "no column at_s");

    std::vector<Plot> plots;
    for (const auto& [title, y_title] : kPlots)
        plots.push_back({.title = std::string(title), .x_title = "Seconds", .y_title = std::string(y_title), .series = {}});
    std::size_t left_out[plot_count] = {};
    for (std::size_t column = 0; column < head.size(); ++column) {
        const ColumnKind* kind = kind_of(head[column]);
        if (!kind) continue;
        auto points = column_points(*rows, static_cast<std::size_t>(time), column);
        if (points.empty()) continue;
        auto& series = plots[kind->plot].series;
        if (series.size() == kMaxMachineSeries) {
            ++left_out[kind->plot];
            continue;
        }
        const bool lone = points.size() == 1;  // a line needs two
        series.push_back({.label = label_of(*kind, head[column]),
                          .color = kColors[series.size()],
                          .points = std::move(points),
                          .error_bars = {},
                          .notes = {},
                          .draw_line = !lone,
                          .dashed = kind->dashed,
                          .draw_markers = lone});
    }
    for (std::size_t i = 0; i < plot_count; ++i)
        if (left_out[i] > 0) plots[i].title += fmt::format(" ({} more not drawn)", left_out[i]);
    std::erase_if(plots, [](const Plot& plot) { return plot.series.empty(); });
    return plots;
}

}  // namespace plimsoll::report
