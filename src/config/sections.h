// The names that NAT's format fixes, and what this program does with them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace plimsoll::config {

// Top-level mappings of name to component. The section's name is also where the catalogue lists its types.
inline constexpr std::array<std::string_view, 13> kComponentSections = {
    "functions",     "function_groups", "middleware",     "llms",     "embedders",        "retrievers",         "memory",
    "object_stores", "authentication",  "ttc_strategies", "trainers", "trainer_adapters", "trajectory_builders"};

// The rest of the top level. `base` is gone by the time sections are looked at.
inline constexpr std::array<std::string_view, 6> kOtherSections = {"general", "workflow", "eval", "optimizer", "finetuning", "base"};

inline std::vector<std::string> section_names() {
    std::vector<std::string> names(kComponentSections.begin(), kComponentSections.end());
    names.insert(names.end(), kOtherSections.begin(), kOtherSections.end());
    return names;
}

inline bool is_section(std::string_view name) {
    for (const auto& section : section_names())
        if (section == name) return true;
    return false;
}

}  // namespace plimsoll::config
