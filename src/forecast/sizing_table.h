// The sizing answer as text for a terminal.
#pragma once

#include <string>

#include "forecast/sizing.h"

namespace plimsoll::forecast {

// NAT 1.9.0's table and its GPU lines, ending in a line end.
std::string sizing_table(const SizingResult& result);

// Beside it for the legs that have statistics: times with intervals, errors, rates, goodput and the evaluators' means. Empty when none
// has.
std::string statistics_table(const SizingResult& result);

// What NAT leaves unsaid, a line each: reasons for a missing estimate, upper bounds, the held-out check, how far the answer
// reaches beyond the measurements, the knee, whether scores change under load, warnings.
std::string sizing_notes(const SizingResult& result);

}  // namespace plimsoll::forecast
