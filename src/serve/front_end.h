// `general.front_end`, `_type: fastapi`: how a NAT file says where its workflow is served.
#pragma once

#include <optional>
#include <string>

#include "base/schema.h"

namespace plimsoll::serve {

struct FrontEnd {
    std::optional<std::string> host;
    std::optional<int> port;
};

// NAT's further settings are known and said to have no effect.
ComponentInfo front_end_info();
// Errors: config.
Result<FrontEnd> parse_front_end(const json::object& settings);

}  // namespace plimsoll::serve
