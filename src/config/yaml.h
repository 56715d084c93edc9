// One YAML document (or JSON, which is YAML) read into a tree with places. Anchors, aliases and merge keys are resolved here.
#pragma once

#include <optional>
#include <string_view>

#include "config/node.h"
#include "config/problems.h"

namespace plimsoll::config {

// Bounds of one document; beyond any is a problem. Aliases count as what they expand to, so that a short text of nested
// aliases ("billion laughs") cannot grow.
inline constexpr std::size_t kMaxFileBytes = 4 << 20;
inline constexpr std::size_t kMaxNodes = 20'000;
inline constexpr std::size_t kMaxTextBytes = 16 << 20;

// `source` is the index of the file in `problems`. Nothing when the text is no YAML (one problem with its place). A key
// given twice is a problem too, but reading goes on. An empty document is a null scalar.
std::optional<Node> parse_yaml(std::string_view text, int source, Problems& problems);

}  // namespace plimsoll::config
