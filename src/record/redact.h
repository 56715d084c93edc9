// Secrets do not leave the process in telemetry: the texts under names that carry credentials are masked.
#pragma once

#include "base/json.h"

namespace plimsoll::record {

// Masks, at any depth, every text whose key is_secret_name(). Numbers stay: "token" is also a word for what is counted.
void redact(json::value& value);

}  // namespace plimsoll::record
