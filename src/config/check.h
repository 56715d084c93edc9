// Checks a whole tree against the catalogue and fills the typed parts of a Config.
#pragma once

#include "config/component.h"
#include "config/config.h"

namespace plimsoll::config {

void check_config(const Checking& checking, Config& out);

// The `eval` section: general.*, evaluators, and dataset and profiler in either of their two places.
void check_eval(const Checking& checking, Config& out);

// A mapping of names to components. `path` is also Component::section; `catalogue_section` lists the types.
std::map<std::string, Component> check_components(const Checking& checking, const Node* section, const std::string& path,
                                                  const std::string& catalogue_section);

// `node` as a mapping with only these keys; null when it is missing, empty or (a problem) no mapping.
const Node* check_mapping(const Checking& checking, const Node* node, const std::string& path, const std::vector<std::string>& keys);

}  // namespace plimsoll::config
