// calc_runner_output.json: NAT's shape out and in; what NAT has no place for is under "plimsoll".
#pragma once

#include <optional>
#include <vector>

#include "forecast/sizing.h"

namespace plimsoll::forecast {

json::value to_json(const SizingResult& result);

// The measurements of an earlier run, NAT's or ours, in file order. A missing metric reads as 0, "not measured".
// Errors: parse, naming the leg and the field.
Result<std::vector<LegResult>> parse_calc_output(const json::value& output);

// What the run was asked to size for; nothing in a file of NAT's, which does not say.
struct AskedFor {
    Targets targets;
    int gpus = 0;
    std::vector<SloRule> slo;  // those that can be read
};
std::optional<AskedFor> parse_asked_for(const json::value& output);

}  // namespace plimsoll::forecast
