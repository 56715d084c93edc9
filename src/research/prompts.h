// What the agent says to its models. Structured calls carry a JSON schema and one example, because small models follow a
// shape they have just seen.
#pragma once

#include <string>
#include <vector>

#include "llm/chat.h"
#include "research/types.h"

namespace plimsoll::research {

// Answer: {"queries": [{"query", "section"}, …]} with exactly `count` entries.
llm::ChatRequest plan_request(const std::string& topic, const std::string& organization, int count);
// Errors: bad_response when the text is not the plan asked for. Blank and repeated queries are dropped.
Result<std::vector<Query>> parse_plan(const std::string& text, int count);

// Answer: a few sentences of plain text about `query`, from the quotes alone.
llm::ChatRequest section_request(const std::string& topic, const Query& query, const std::vector<Sentence>& quotes, int max_tokens);

// Answer: {"query", "section"}: the one thing that the draft lacks.
llm::ChatRequest reflection_request(const std::string& topic, const std::vector<Section>& sections);
Result<Query> parse_reflection(const std::string& text);

}  // namespace plimsoll::research
