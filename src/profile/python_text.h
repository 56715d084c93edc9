// How Python's str() writes a value that came out of JSON. NAT's table holds prompts that are no strings (lists of chat
// messages) in this form, and its word counts and prefixes are made of it.
#pragma once

#include <string>

#include "base/json.h"

namespace plimsoll::profile {

// A string as it is, anything else as its repr: None, {'role': 'user', 'n': 1.0, 'last': True}.
std::string to_python_text(const json::value& value);

// A string as it is, null as nothing, anything else as compact JSON.
std::string to_plain_text(const json::value& value);

// Which of the two an analysis reads prompts with.
using TextOf = std::string (*)(const json::value&);

}  // namespace plimsoll::profile
