#include <fmt/format.h>

#include "report/canvas.h"
#include "report/flame_chart.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

constexpr std::size_t kMaxPrefixText = 400;  // of a tooltip

FlameChart make_prefix_chart(const profile::PrefixNode& root) {
    FlameChart chart{.title = "Common beginnings of prompts", .x_title = {}, .boxes = {}};
    constexpr Color kColors[] = {kBlue, kViolet};
    struct Pending {
        const profile::PrefixNode* node;
        double from;
        std::size_t row;
    };
    std::vector<Pending> stack = {{&root, 0, 0}};
    const auto all = static_cast<double>(root.count);
    while (!stack.empty() && all > 0) {
        const auto [node, from, row] = stack.back();
        stack.pop_back();
        chart.boxes.push_back({.from = from,
                               .to = from + static_cast<double>(node->count) / all,
                               .row = row,
                               .color = kColors[row % std::size(kColors)],
                               .label = fmt::format("{} × {}", node->count, node->text),
                               .tooltip = fmt::format("{} prompts: {}", node->count, shorten(node->text, kMaxPrefixText))});
        double next = from;
        if (row >= kMaxFlameRows) continue;
        for (const profile::PrefixNode& child : node->children) {
            stack.push_back({&child, next, row + 1});
            next += static_cast<double>(child.count) / all;
        }
    }
    return chart;
}

}  // namespace

std::string prefixes_html(const profile::PrefixNode& root) {
    const std::string picture = draw_flame_svg(make_prefix_chart(root));
    if (picture.empty()) return "";
    return paragraph_html(
               "Width is the number of prompts that begin with the text from the top down to the box. What many "
               "share at their beginning a model server can keep in its prefix cache.") +
           picture;
}

}  // namespace plimsoll::report
