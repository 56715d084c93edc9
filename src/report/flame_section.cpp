#include <fmt/format.h>

#include "report/flame_chart.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string flame_html(const profile::FlameGraph& flame) {
    if (flame.nodes.empty()) return "";
    std::string body = legend_html() + draw_flame_svg(make_flame_chart(flame));
    if (flame.left_out > 0)
        body += fmt::format("<p class=\"note\">{} call paths with less than {} of the work, or deeper than {} calls, are not shown.</p>\n",
                            flame.left_out, format_percent(profile::kLeastFlameShare), profile::kMaxFlameDepth);
    return body;
}

}  // namespace plimsoll::report
