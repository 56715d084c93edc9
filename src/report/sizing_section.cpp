#include <fmt/format.h>

#include "report/canvas.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string sizing_section(const SizingView& sizing) {
    constexpr double kWidth = 540, kHeight = 340;
    constexpr Color kColors[] = {kBlue, kGreen};
    std::string body;
    for (const std::string& statement : sizing.statements) body += paragraph_html(statement);
    body += "<div class=\"pair\">";
    for (std::size_t i = 0; i < sizing.metrics.size(); ++i) {
        const Plot plot = make_analysis_plot(sizing.metrics[i], kColors[i % std::size(kColors)]);
        auto canvas = make_svg_canvas(kWidth, kHeight, plot.title);
        plot.draw(*canvas, {0, 0}, kWidth, kHeight);
        body += canvas->finish().value_or("");
    }
    body += "</div>\n";
    return section_html("sizing", "How many users?", body + table_html(sizing.legs));
}

}  // namespace plimsoll::report
