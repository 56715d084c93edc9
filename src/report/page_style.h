// The style sheet of a report's page: light and dark by the reader's setting, the same for print.
#pragma once

#include <string_view>

namespace plimsoll::report {

// Pictures are inline SVG in the Canvas' colours; the dark part replaces those by selecting on the attribute.
extern const std::string_view kPageStyle;

}  // namespace plimsoll::report
