// A small instance of a JSON schema, as a model under a response_format would write it: deterministic, every listed
// property present, phrases of a research plan for its strings.
#pragma once

#include "base/json.h"

namespace plimsoll::llm {

inline constexpr int kMaxSimSchemaDepth = 32;
inline constexpr int kMaxSimSchemaValues = 10'000;
inline constexpr std::size_t kMaxSimSchemaText = 1 << 20;  // bytes of one string

// Understands type (a name or a list of names), properties, required (all properties when it is absent), items, prefixItems,
// minItems, maxItems, enum, const, default, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength,
// maxLength, format (date, time, date-time, uuid, uri, email), anyOf, oneOf (their first), allOf (merged) and $ref into the same document.
// The first value of an enum, minItems items or else up to three, phrases cut to maxLength.
// Errors: invalid_argument (no such $ref, contradictory or unknown type), unsupported (pattern, uniqueItems that cannot be
// met), limit (deeper or larger than the bounds above, as an endless $ref is).
Result<json::value> make_schema_instance(const json::value& schema);

}  // namespace plimsoll::llm
