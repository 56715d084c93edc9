// A JSON value as a Python pickle (protocol 2) of plain dicts, lists, strings, numbers, booleans and None: `pickle.load` needs nothing
// but Python to read it, and runs nothing when it does.
#pragma once

#include <string>

#include "base/json.h"

namespace plimsoll::profile {

// Objects keep the order of their members.
std::string to_pickle(const json::value& value);

}  // namespace plimsoll::profile
