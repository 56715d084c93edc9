// Compressed bytes from outside, with a bound on what they may grow to.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll {

// gzip (RFC 1952; members one after the other are joined); anything that does not begin with gzip's magic number comes back
// as it is. Errors: parse (damaged or cut short), limit (more than `limit` bytes come out).
Result<std::string> decompress(std::string_view bytes, std::size_t limit);

}  // namespace plimsoll
