// What the simulated model says: scripted, an instance of the asked-for JSON schema, or a report of any length with citations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llm/sim_request.h"

namespace plimsoll::llm {

inline constexpr std::int64_t kMaxSimTokens = 131'072;  // of one answer, whatever max_tokens says

struct SimAnswer {
    std::string text;
    std::vector<std::uint32_t> ends;  // where each token of the text ends; as many as there are tokens
    std::string finish_reason;        // "stop", "length" or "tool_calls"
    std::string tool;                 // the one that is called with `text` as its arguments; empty = an answer in words
    int prompt_tokens = 0;

    std::size_t size() const { return ends.size(); }
    std::string_view token(std::size_t index) const;
};

// Tokens are a word's pieces of up to six letters with the white space before them, or single punctuation marks: the count
// is near that of a real tokenizer for English text, and no token splits a UTF-8 character. Fills `ends` up to `limit` tokens.
std::vector<std::uint32_t> split_sim_tokens(std::string_view text, std::size_t limit = kMaxSimTokens);

// `rule` may be null. `tokens` is the length of a report when max_tokens does not make it shorter.
// A tool's arguments are an instance of its schema, with the user's message for its query or question. Errors: those of
// make_schema_instance().
Result<SimAnswer> make_sim_answer(const SimRequest& request, const SimRule* rule, int tokens);

}  // namespace plimsoll::llm
