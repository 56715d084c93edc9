// `general.telemetry.logging`: where the program's own diagnostics go, besides and instead of the terminal's default.
#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/schema.h"

namespace plimsoll::record {

// The types a config may name, section "telemetry.logging": console (its level) and file.
Catalogue logging_catalogue();

// Takes effect for the rest of the process; call before other threads log. Errors: unsupported for an unknown type; config; io.
Result<void> start_logging(const std::string& type, const json::object& settings);

}  // namespace plimsoll::record
