#include "report/machine_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "report/csv_columns.h"

namespace plimsoll::report {
namespace {

// Columns that belong together. A column is taken by the first kind whose prefix and suffix it has; what stands between them, or
// `label`, names its line.
struct ColumnKind {
    std::size_t plot;
    std::string_view prefix, suffix, label;
    bool dashed = false;
};

enum PlotIndex : std::size_t { processors, shares, stalls, memory, gpus, gpu_memory, gpu_power, server, plot_count };

struct PlotText {
    std::string_view title, y_title;
    bool when_above_zero = false;  // else it would only say that nothing was
};
constexpr PlotText kPlots[plot_count] = {{"Processor", "Cores in use"},
                                         {"Waiting and throttling", "Share of the time"},
                                         {"Waiting for memory and disks", "Share of the time", true},
                                         {"Memory", "MB"},
                                         {"GPU and KV cache", "Share in use"},
                                         {"GPU memory", "MB"},
                                         {"GPU power", "W"},
                                         {"Model server", "Requests"}};

constexpr ColumnKind kKinds[] = {{processors, "cgroup_quota_cores", "", "limit of the control group", true},
                                 {processors, "cgroup_usage_cores", "", "control group"},
                                 {processors, "", "_cores", ""},
                                 {shares, "machine_busy", "", "machine busy"},
                                 {shares, "machine_steal", "", "taken by other machines"},
                                 {shares, "psi_cpu_some", "", "waits for a core"},
                                 {shares, "cgroup_throttled_share", "", "periods throttled"},
                                 {shares, "cgroup_cpu_some", "", "the control group waited for a core"},
                                 {stalls, "psi_memory_some", "", "something waited for memory"},
                                 {stalls, "psi_io_some", "", "something waited for a disk"},
                                 {stalls, "cgroup_memory_some", "", "the control group for memory"},
                                 {stalls, "cgroup_io_some", "", "the control group for a disk"},
                                 {shares, "", "_run_queue", ""},
                                 {memory, "cgroup_memory_limit_mb", "", "limit of the control group", true},
                                 {memory, "cgroup_memory_mb", "", "control group"},
                                 {memory, "", "_rss_mb", ""},
                                 {gpu_memory, "gpu", "_memory_used_mb", ""},
                                 {gpu_power, "gpu", "_power_w", ""},
                                 {gpus, "gpu_utilization_mean", "", "mean"},
                                 {gpus, "gpu", "_utilization", ""},
                                 {gpus, "server", "_kv_usage", ""},
                                 {server, "server", "_running", ""},
                                 {server, "server", "_waiting", ""}};

constexpr Color kColors[kMaxMachineSeries] = {kBlue, kOrange, kGreen, kRed, kViolet, kTeal, kMuted, kInk};

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

}  // namespace

Result<std::vector<Plot>> make_machine_plots(std::string_view samples_csv) {
    const auto table = parse_csv_columns(samples_csv);
    if (!table) return fail(table.error());
    // Of a lone server the figures stand there twice, by itself and as the sum of all.
    const bool lone_server = !table->find("server2_running");
    const CsvColumn* time = table->find("at_s");
    if (!time) return fail(ErrorCode::parse, "no column at_s");

    std::vector<Plot> plots;
    for (const PlotText& text : kPlots)
        plots.push_back({.title = std::string(text.title), .x_title = "Seconds", .y_title = std::string(text.y_title), .series = {}});
    std::size_t left_out[plot_count] = {};
    for (const CsvColumn& column : table->columns) {
        const ColumnKind* kind = kind_of(column.name);
        if (!kind || (lone_server && column.name.starts_with("server1_"))) continue;
        auto points = points_of(*time, column, kMaxMachinePoints);
        if (points.empty()) continue;
        auto& series = plots[kind->plot].series;
        if (series.size() == kMaxMachineSeries) {
            ++left_out[kind->plot];
            continue;
        }
        const bool lone = points.size() == 1;  // a line needs two
        series.push_back({.label = label_of(*kind, column.name),
                          .color = kColors[series.size()],
                          .points = std::move(points),
                          .error_bars = {},
                          .notes = {},
                          .draw_line = !lone,
                          .dashed = kind->dashed,
                          .draw_markers = lone});
    }
    const auto is_flat = [](const Series& series) { return std::ranges::all_of(series.points, [](const Point& p) { return p.y == 0; }); };
    for (std::size_t i = 0; i < plot_count; ++i)
        if (kPlots[i].when_above_zero && std::ranges::all_of(plots[i].series, is_flat)) plots[i].series.clear();
    for (std::size_t i = 0; i < plot_count; ++i)
        if (left_out[i] > 0) plots[i].title += fmt::format(" ({} more not drawn)", left_out[i]);
    std::erase_if(plots, [](const Plot& plot) { return plot.series.empty(); });
    return plots;
}

}  // namespace plimsoll::report
