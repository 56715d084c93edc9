// A load run over its time: latency and calls of each second.
#pragma once

#include <string_view>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

// A point that stands for several seconds is the highest.
inline constexpr std::size_t kMaxLoadPoints = 600;

// `timeline_csv` as load::RunFiles writes it. Errors: parse (no CSV, or a column is missing).
Result<std::vector<Plot>> make_load_plots(std::string_view timeline_csv);

}  // namespace plimsoll::report
