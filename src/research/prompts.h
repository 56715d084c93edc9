// What the agent says to its models. Structured calls carry a JSON schema and one example, because small models follow a
// shape they have just seen.
#pragma once

#include <string>
#include <vector>

#include "llm/chat.h"
#include "research/types.h"

namespace plimsoll::research {

// Answer: {"queries": [{"section", "query"}, …]} with exactly `count` entries. `headings`: what the
// collection has on the topic; sections are chosen among them.
llm::ChatRequest plan_request(const std::string& topic, const std::string& organization, const std::vector<std::string>& headings,
                              int count);
// Errors: bad_response when the text is not the plan asked for. Blank and repeated queries are dropped.
Result<std::vector<Query>> parse_plan(const std::string& text, int count);
// Fills a plan that came out short with searches for the headings it does not cover yet.
void complete_plan(const std::string& topic, const std::vector<std::string>& headings, int count, std::vector<Query>& queries);

// Answer: a few sentences of plain text about `query`, from the quotes alone.
llm::ChatRequest section_request(const std::string& topic, const Query& query, const std::vector<Sentence>& quotes, int max_tokens);

// Answer: {"section", "query"}: the one thing that the draft lacks. `headings`: what the collection has and the draft does not.
llm::ChatRequest reflection_request(const std::string& topic, const std::vector<Section>& sections,
                                    const std::vector<std::string>& headings);
Result<Query> parse_reflection(const std::string& text);

}  // namespace plimsoll::research
