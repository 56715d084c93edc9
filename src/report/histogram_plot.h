// A histogram with axes, for token counts and the like.
#pragma once

#include <string>

#include "profile/distribution.h"

namespace plimsoll::report {

// Inline SVG; nothing without values. `unit` names what is counted along x ("prompt tokens").
std::string draw_histogram_svg(const profile::Histogram& histogram, const std::string& title, const std::string& unit);

}  // namespace plimsoll::report
