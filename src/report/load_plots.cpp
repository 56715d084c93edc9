#include "report/load_plots.h"

#include <fmt/format.h>

#include "report/csv_columns.h"

namespace plimsoll::report {
namespace {

struct Line {
    std::size_t plot;
    std::string_view column, label;
    Color color;
};
constexpr Line kLines[] = {{0, "latency_p50_s", "median", kBlue},
                           {0, "latency_p95_s", "p95", kOrange},
                           {1, "calls_ended", "ended", kBlue},
                           {1, "calls_failed", "failed", kRed},
                           {1, "calls_open", "in flight", kMuted}};

// Seconds in which no call ended well have no latency, whatever stands in its columns.
CsvColumn where_calls_ended(CsvColumn latency, const CsvColumn& ended, const CsvColumn& failed) {
    for (std::size_t i = 0; i < latency.values.size(); ++i)
        if (!(ended.values[i].value_or(0) > failed.values[i].value_or(0))) latency.values[i].reset();
    return latency;
}

}  // namespace

Result<std::vector<Plot>> make_load_plots(std::string_view timeline_csv) {
    const auto table = parse_csv_columns(timeline_csv);
    if (!table) return fail(table.error());
    const auto* seconds = table->find("second");
    const auto* ended = table->find("calls_ended");
    const auto* failed = table->find("calls_failed");
    if (!seconds || !ended || !failed) return fail(ErrorCode::parse, "no column second, calls_ended or calls_failed");
    std::vector<Plot> plots = {{.title = "Latency, each second", .x_title = "Seconds", .y_title = "Seconds", .series = {}},
                               {.title = "Calls, each second", .x_title = "Seconds", .y_title = "Calls", .series = {}}};
    for (const Line& line : kLines) {
        const auto* column = table->find(line.column);
        if (!column) return fail(ErrorCode::parse, fmt::format("no column {}", line.column));
        auto points = points_of(*seconds, line.plot == 0 ? where_calls_ended(*column, *ended, *failed) : *column, kMaxLoadPoints);
        const bool lone = points.size() == 1;  // a line needs two
        if (!points.empty())
            plots[line.plot].series.push_back({.label = std::string(line.label),
                                               .color = line.color,
                                               .points = std::move(points),
                                               .error_bars = {},
                                               .notes = {},
                                               .draw_line = !lone,
                                               .draw_markers = lone});
    }
    std::erase_if(plots, [](const Plot& plot) { return plot.series.empty(); });
    return plots;
}

}  // namespace plimsoll::report
