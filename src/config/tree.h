// One tree out of a file, its bases and the overrides: everything that happens before a setting's meaning matters.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "config/config.h"
#include "config/node.h"
#include "config/problems.h"

namespace plimsoll::config {

inline constexpr std::size_t kMaxBases = 16;                // files in one `base:` chain
inline constexpr std::size_t kMaxTextFileBytes = 1 << 20;   // of one file://
inline constexpr std::size_t kMaxExpandedBytes = 16 << 20;  // all ${…} and file:// texts of one load together

struct Tree {
    Node root;             // a mapping, without `base`
    std::string original;  // bytes of the main file
};

// Parse, merge bases, override, expand, read file:// texts. Nothing when there is no tree to go on with; the reason is in
// `problems` then. A tree may come with problems too.
std::optional<Tree> read_tree(const std::filesystem::path& file, const LoadOptions& options, Problems& problems);

// Sets `override.path` in the tree. The text becomes what is there already: boolean, whole number, number or list (split at
// commas, items stay text); in place of a text, or where nothing is, it stays text and the component's schema converts it.
void apply_override(Node& root, const Override& override, Problems& problems);

}  // namespace plimsoll::config
