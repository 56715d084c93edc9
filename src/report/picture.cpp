#include "report/picture.h"

#include <algorithm>

namespace plimsoll::report {
namespace {

constexpr double kPanelWidth = 700, kPanelHeight = 450;
constexpr double kPngScale = 2;

struct Grid {
    std::size_t columns, rows;
    double width() const { return kPanelWidth * static_cast<double>(columns); }
    double height() const { return kPanelHeight * static_cast<double>(rows); }
};

Grid grid_of(const Picture& picture) {
    const std::size_t columns = std::clamp<std::size_t>(picture.plots.size(), 1, 2);
    return {columns, (picture.plots.size() + columns - 1) / columns};
}

Result<std::string> draw(const Picture& picture, Canvas& canvas) {
    const Grid grid = grid_of(picture);
    // An SVG file is transparent where nothing is drawn, and a viewer's dark page would swallow the text.
    canvas.rectangle({0, 0}, grid.width(), grid.height(), kWhite);
    for (std::size_t i = 0; i < picture.plots.size(); ++i) {
        const std::size_t row = i / grid.columns, column = i % grid.columns;
        const Point corner = {kPanelWidth * static_cast<double>(column), kPanelHeight * static_cast<double>(row)};
        picture.plots[i].draw(canvas, corner, kPanelWidth, kPanelHeight);
    }
    return canvas.finish();
}

}  // namespace

Result<std::string> draw_png(const Picture& picture) {
    if (picture.plots.empty()) return fail(ErrorCode::invalid_argument, picture.name + ": nothing to draw");
    return draw(picture, *make_png_canvas(grid_of(picture).width(), grid_of(picture).height(), kPngScale));
}

Result<std::string> draw_svg(const Picture& picture) {
    if (picture.plots.empty()) return fail(ErrorCode::invalid_argument, picture.name + ": nothing to draw");
    return draw(picture, *make_svg_canvas(grid_of(picture).width(), grid_of(picture).height(), picture.plots.front().title));
}

}  // namespace plimsoll::report
