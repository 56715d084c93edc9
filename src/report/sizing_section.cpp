#include "report/canvas.h"
#include "report/sections.h"

namespace plimsoll::report {

std::string plot_pair_html(const std::vector<Plot>& plots) {
    constexpr double kWidth = 540, kHeight = 340;
    std::string html = "<div class=\"pair\">";
    for (const Plot& plot : plots) {
        auto canvas = make_svg_canvas(kWidth, kHeight, plot.title);
        plot.draw(*canvas, {0, 0}, kWidth, kHeight);
        html += canvas->finish().value_or("");
    }
    return html + "</div>\n";
}

std::string sizing_section(const SizingView& sizing) {
    constexpr Color kColors[] = {kBlue, kGreen};
    std::string body;
    for (const std::string& statement : sizing.statements) body += paragraph_html(statement);
    std::vector<Plot> plots;
    for (std::size_t i = 0; i < sizing.metrics.size(); ++i)
        plots.push_back(make_analysis_plot(sizing.metrics[i], kColors[i % std::size(kColors)]));
    body += plot_pair_html(plots);
    return section_html("sizing", "How many users?", body + table_html(sizing.legs));
}

}  // namespace plimsoll::report
