// Checks one typed mapping of a configuration against the catalogue: its type, its settings, the names it refers to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "config/problems.h"

namespace plimsoll::config {

// What every check needs; all of it outlives the check.
struct Checking {
    const Node& root;
    const Catalogue& catalogue;
    const LoadOptions& options;
    Problems& problems;

    bool has_types(std::string_view section) const;  // the catalogue knows any type of the section

    // A key nobody reads: a warning, or an error when `is_error` or strict, with the likely meaning.
    void unknown_key(const Member& member, const std::string& path, const std::vector<std::string>& known, bool is_error = false) const;
};

// A mapping that picks its type by `_type` (or `type`).
struct TypedNode {
    std::string section;                          // as Component::section says it
    std::vector<std::string> catalogue_sections;  // where its types are listed
    std::string name;
    std::string path;
    const Node& node;
    Mark mark;                 // to report what is missing
    std::string default_type;  // when the file gives none; empty: `_type` is required
};

// Never fails: what is wrong is in `problems`, and the component holds what could be read. With check_components off, or for a
// section without any type in the catalogue, the settings are as written and `known` says whether the type is listed.
Component check_component(const Checking& checking, const TypedNode& typed);

// The settings of `node` checked against `info`, aliases resolved, keys not set left out.
json::object check_settings(const Checking& checking, const ComponentInfo& info, const Node& node, const std::string& path, Mark mark);

// The short name of a type written as "nat.llm/openai" or, of old, "aiq.llm/openai" or "aiq_retriever"; null when the
// catalogue lists no such type.
const ComponentInfo* find_type(const Catalogue& catalogue, const std::vector<std::string>& sections, const std::string& written);

}  // namespace plimsoll::config
