// How many new words each prompt brings against the session's previous prompt to the same model (NAT 1.9.0). A low number
// says that prompt caching has much to gain.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

#include "profile/confidence.h"
#include "profile/python_text.h"
#include "profile/trace_view.h"

namespace plimsoll::profile {

// By model name. A session's first prompt to a model, and one after a prompt that was not recorded, count for nothing; models
// without any other are absent.
std::map<std::string, Percentiles> compute_token_uniqueness(const TraceView& view, TextOf text_of = to_plain_text);

// Runs of letters, digits and underscores, lower-cased: what \w matches in a regular expression over Unicode. A capital sigma
// becomes σ, also at the end of a word.
std::unordered_set<std::string> split_words(std::string_view text);

}  // namespace plimsoll::profile
