#include <fmt/format.h>

#include "report/canvas.h"
#include "report/sections.h"

namespace plimsoll::report {
namespace {

std::string watched_html(const std::vector<SizingView::Watched>& watched) {
    std::string html;
    for (std::size_t i = 0; i < std::min(watched.size(), kMaxWatchedRuns); ++i)
        html += fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(watched[i].title),
                            pictures_html(watched[i].pictures));
    if (watched.size() > kMaxWatchedRuns)
        html += paragraph_html(fmt::format("The machine during {} more runs is in their folders.", watched.size() - kMaxWatchedRuns));
    return html;
}

}  // namespace

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

std::string pictures_html(const std::vector<Picture>& pictures) {
    std::vector<Plot> plots;
    for (const Picture& picture : pictures) plots.insert(plots.end(), picture.plots.begin(), picture.plots.end());
    return plot_pair_html(plots);
}

std::string sizing_section(const SizingView& sizing) {
    std::string body;
    for (const std::string& statement : sizing.statements) body += paragraph_html(statement);
    body += pictures_html(sizing.pictures) + table_html(sizing.legs) + watched_html(sizing.watched);
    return section_html("sizing", "How many users?", body);
}

}  // namespace plimsoll::report
