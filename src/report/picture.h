// Plots side by side as files: the same drawing as PNG, for print, and as SVG.
#pragma once

#include <string>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

struct Picture {
    std::string name;         // of the files, without their ending
    std::vector<Plot> plots;  // two a row
};

// Errors: invalid_argument (no plots), internal.
Result<std::string> draw_png(const Picture& picture);
Result<std::string> draw_svg(const Picture& picture);

}  // namespace plimsoll::report
