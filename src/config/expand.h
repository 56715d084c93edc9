// ${VAR} in one scalar, in the forms of NAT's expander:
//   ${V}              value, or nothing when unset
//   ${V:-d}  ${V-d}   `d` when V is unset or empty; `d` may itself hold ${…}
//   ${V:?m}  ${V?m}   error `m` when V is unset or empty
//   \${V}             left as ${V}
// `$V`, `$5` and `$$` are text. The value of a variable is never expanded again and never parsed.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::config {

using Getenv = std::function<const char*(const std::string&)>;

// Errors: parse (a brace or a name is wrong), config (a ${V:?m}), limit (longer than max_bytes).
Result<std::string> expand(std::string_view text, const Getenv& getenv, std::size_t max_bytes);

// What `expand` turns back into exactly `text`.
std::string escape_expansions(std::string_view text);

}  // namespace plimsoll::config
