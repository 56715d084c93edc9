#include "report/flame_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/html_table.h"
#include "report/plot.h"
#include "report/waterfall.h"

namespace plimsoll::report {
namespace {

constexpr double kWidth = 1080, kRow = 19;

bool is_orange(Color color) { return color.red == kOrange.red && color.green == kOrange.green && color.blue == kOrange.blue; }

// What is drawn, widest first; returns how many are not.
std::size_t keep_drawable(std::vector<FlameBox>& boxes) {
    constexpr double kLeastShare = 1 / kWidth;
    const std::size_t all = boxes.size();
    std::erase_if(boxes, [](const FlameBox& box) { return box.to - box.from < kLeastShare || box.row >= kMaxFlameRows; });
    if (boxes.size() > kMaxFlameBoxes) {
        std::ranges::stable_sort(boxes, std::greater(), [](const FlameBox& box) { return box.to - box.from; });
        boxes.resize(kMaxFlameBoxes);
    }
    return all - boxes.size();
}

void draw_axis(Canvas& canvas, const FlameChart& chart, double bottom) {
    for (const double tick : nice_ticks(0, chart.seconds, 10)) {
        if (tick > chart.seconds) break;
        const double x = tick / chart.seconds * kWidth;
        const std::array mark = {Point{x, bottom}, Point{x, bottom + 4}};
        canvas.line(mark, kMuted, 1);
        const Anchor anchor = tick == 0 ? Anchor::start : x > kWidth - 30 ? Anchor::end : Anchor::middle;
        canvas.text({x, bottom + 17}, format_duration(tick), {.size = 11, .color = kMuted, .anchor = anchor});
    }
    canvas.text({kWidth / 2, bottom + 34}, chart.x_title, {.size = 11.5, .color = kMuted, .anchor = Anchor::middle});
}

void draw_box(Canvas& canvas, const FlameBox& box) {
    constexpr double kCharacter = 6.4, kPadding = 4;
    const double x = box.from * kWidth, y = static_cast<double>(box.row) * kRow;
    const double width = (box.to - box.from) * kWidth;
    canvas.rectangle({x, y}, std::max(0.7, width - 0.6), kRow - 1.5, box.color, box.tooltip);
    if (box.outlined && width > 3) canvas.frame({x + 0.8, y + 0.8}, width - 2.2, kRow - 3.1, kInk);
    const auto room = static_cast<std::size_t>(std::max(0.0, (width - 2 * kPadding) / kCharacter));
    constexpr std::size_t kLeastRoom = 3;
    if (room >= kLeastRoom)
        canvas.text({x + kPadding, y + 13}, shorten(box.label, room), {.size = 11, .color = is_orange(box.color) ? kOnOrange : kOnShape});
}

}  // namespace

std::string draw_flame_svg(FlameChart chart) {
    const std::size_t left_out = keep_drawable(chart.boxes);
    std::size_t rows = 0;
    for (const FlameBox& box : chart.boxes) rows = std::max(rows, box.row + 1);
    if (rows == 0) return "";
    const double bottom = static_cast<double>(rows) * kRow;
    const double axis = chart.seconds > 0 ? 40 : 4;
    const double note = left_out > 0 ? 18 : 0;
    auto canvas = make_svg_canvas(kWidth, bottom + axis + note, chart.title);
    for (const FlameBox& box : chart.boxes) draw_box(*canvas, box);
    if (chart.seconds > 0) draw_axis(*canvas, chart, bottom);
    if (left_out > 0)
        canvas->text({0, bottom + axis + 12}, fmt::format("{} boxes too narrow or too deep to draw", left_out),
                     {.size = 11, .color = kMuted});
    return canvas->finish().value_or("");
}

FlameChart make_flame_chart(const profile::FlameGraph& graph) {
    FlameChart chart{.title = "Flame graph of all sessions", .x_title = "Work of all sessions: time in calls, parallel calls added up"};
    chart.seconds = graph.seconds;
    std::vector<double> next(graph.nodes.size());  // where the node's next child begins, in seconds
    double next_root = 0;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const profile::FlameNode& node = graph.nodes[i];
        double& cursor = node.parent ? next[*node.parent] : next_root;
        const double from = cursor;
        cursor += node.seconds;
        next[i] = from;
        chart.boxes.push_back({.from = from / graph.seconds,
                               .to = (from + node.seconds) / graph.seconds,
                               .row = static_cast<std::size_t>(node.depth),
                               .color = color_of(node.category),
                               .label = node.name,
                               .tooltip = fmt::format("{} {}: {} of the work, {} in {} calls, {} its own", event::to_string(node.category),
                                                      node.name, format_percent(node.seconds / graph.seconds),
                                                      format_duration(node.seconds), node.calls, format_duration(node.self_seconds))});
    }
    return chart;
}

FlameChart make_session_chart(const profile::ChosenSession& session) {
    FlameChart chart{.title = fmt::format("Calls of session {} over time", session.session), .x_title = "Time since the session's start"};
    chart.seconds = session.runtime;
    if (session.runtime <= 0) return chart;
    // In the order of their start, callers before their calls, each takes the highest free row below its caller.
    std::vector<std::size_t> order(session.bars.size());
    std::vector<std::size_t> parent(session.bars.size(), session.bars.size());
    std::vector<std::size_t> open;  // the path of callers to the bar, by depth
    for (std::size_t i = 0; i < session.bars.size(); ++i) {
        order[i] = i;
        open.resize(std::min(open.size(), static_cast<std::size_t>(session.bars[i].depth)));
        if (!open.empty()) parent[i] = open.back();
        open.push_back(i);
    }
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return session.bars[i].start; });
    std::vector<std::size_t> row_of(session.bars.size(), 0);
    std::vector<double> busy_until;
    for (const std::size_t i : order) {
        const profile::SessionBar& bar = session.bars[i];
        std::size_t row = parent[i] < row_of.size() ? row_of[parent[i]] + 1 : 0;
        while (row < busy_until.size() && row < kMaxFlameRows && busy_until[row] > bar.start) ++row;
        if (row >= busy_until.size()) busy_until.resize(row + 1);
        busy_until[row] = bar.end;
        row_of[i] = row;
        const std::string failed = bar.failed ? ", failed" : "";
        chart.boxes.push_back({.from = bar.start / session.runtime,
                               .to = bar.end / session.runtime,
                               .row = row,
                               .color = bar.failed ? kRed : color_of(bar.category),
                               .label = (bar.failed ? "✕ " : "") + bar.name,
                               .tooltip = fmt::format("{} {}: {} after {}{}{}", event::to_string(bar.category), bar.name,
                                                      format_duration(bar.end - bar.start), format_duration(bar.start),
                                                      bar.on_path ? ", on the critical path" : "", failed),
                               .outlined = bar.on_path});
    }
    return chart;
}

}  // namespace plimsoll::report
