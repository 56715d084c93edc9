// The samples of a run over its time: processors and memory of every watched process, waiting and throttling, GPUs, model servers.
#pragma once

#include <string_view>
#include <vector>

#include "report/plot.h"

namespace plimsoll::report {

// A plot shows at most so many lines (its title says so) of at most so many points; a point that stands for several looks is the highest.
inline constexpr std::size_t kMaxMachineSeries = 8;
inline constexpr std::size_t kMaxMachinePoints = 240;

// `samples_csv` as load::samples_csv() writes it: columns are found by their names, empty fields are not drawn, and a plot without any
// value is left out. Errors: parse (no CSV, or no at_s column).
Result<std::vector<Plot>> make_machine_plots(std::string_view samples_csv);

}  // namespace plimsoll::report
