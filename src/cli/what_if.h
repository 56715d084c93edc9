// The what-if flags of `sizing forecast` that need more than a number.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "forecast/forecast.h"

namespace plimsoll::cli {

// "NAME=K": of the steps of this name only the first K of a session. Errors: invalid_argument.
Result<forecast::LeaveOut> parse_at_most(const std::string& text);

// "MODEL=PROFILE", PROFILE as `sim serve --profile` takes it: a name of the program's or a file. Adds to `machines`.
// Errors: invalid_argument, config, not_found, io.
Result<void> add_machine(const std::string& text, std::map<std::string, forecast::OtherMachine>& machines);

// "4" or "4,8,16": rising, each once. Errors: invalid_argument, naming `flag`.
Result<std::vector<int>> parse_counts(std::string_view flag, const std::string& text);
// One whole number from 1. Errors: invalid_argument, naming `flag`.
Result<int> parse_count(std::string_view flag, std::string_view text);

}  // namespace plimsoll::cli
