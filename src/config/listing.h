// The catalogue for people (`plimsoll info components`) and for programs.
#pragma once

#include <string>

#include "base/error.h"
#include "base/schema.h"

namespace plimsoll::config {

// The section that lists what NAT calls `kind` ("llm_provider" -> "llms", "dataset_loader" -> "dataset"); a section's own name
// is taken too. Errors: invalid_argument.
Result<std::string> section_of_kind(const std::string& kind);

// What of it belongs to one section; "functions" includes types that only a workflow may have.
Catalogue in_section(const Catalogue& catalogue, const std::string& section);

// A table of section, type, field, field type, default and meaning; a component is one row, its fields follow. Sorted by
// section and type.
std::string list_components(const Catalogue& catalogue);

// An array of components in catalogue order, every property of every field.
json::value to_json(const Catalogue& catalogue);

}  // namespace plimsoll::config
