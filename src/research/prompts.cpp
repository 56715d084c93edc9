#include "research/prompts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "research/sentences.h"

namespace plimsoll::research {
namespace {

constexpr int kMaxQueryChars = 80;
constexpr int kMaxSectionChars = 48;
// A token of two characters at worst, for both texts and the JSON around them.
constexpr int kTokensPerQuery = (kMaxQueryChars + kMaxSectionChars) / 2 + 20;
// Of OpenAI's range -2..2: enough against a small model's loops, too little to bend a large one's wording.
constexpr double kFrequencyPenalty = 0.3;

// The section comes first: naming the part of the question makes the query one about that part. With headings known it is one of
// them, so that every section finds something. The bounds keep a small model from running away.
json::value query_schema(const std::vector<std::string>& headings) {
    json::value section = {{"type", "string"}, {"maxLength", kMaxSectionChars}};
    if (!headings.empty()) section = {{"type", "string"}, {"enum", json::array(headings.begin(), headings.end())}};
    return {{"type", "object"},
            {"properties", {{"section", std::move(section)}, {"query", {{"type", "string"}, {"maxLength", kMaxQueryChars}}}}},
            {"required", {"section", "query"}},
            {"additionalProperties", false}};
}

std::string bullet_list(std::string_view title, const std::vector<std::string>& lines) {
    if (lines.empty()) return "";
    return fmt::format("{}:\n- {}\n", title, fmt::join(lines, "\n- "));
}

bool covers(const std::vector<Query>& queries, const std::string& text) {
    const auto words = content_words(text);
    return std::ranges::any_of(queries,
                               [&](const Query& q) { return content_words(q.section) == words || content_words(q.text) == words; });
}

Result<Query> parse_query(const json::value& value) {
    const auto text = get_string(value, "query");
    const auto section = get_string(value, "section");
    if (!text || !section) return fail(ErrorCode::bad_response, "a query needs \"query\" and \"section\"");
    if (content_words(*text).empty()) return fail(ErrorCode::bad_response, "a query without a word");
    return Query{*text, *section};
}

}  // namespace

llm::ChatRequest plan_request(const std::string& topic, const std::string& organization, const std::vector<std::string>& headings,
                              int count) {
    llm::ChatRequest request;
    request.messages = {
        {"system",
         "You plan the research for a short report. Name different parts of the question, and for each part one search query. "
         "Answer in JSON."},
        {"user",
         "Question: How do solar panels behave in winter?\nIn the library:\n- Output and temperature\n- Snow on panels\n- "
         "Storage\nQueries: 2"},
        {"assistant", R"({"queries":[{"section":"Output and temperature","query":"solar panel output at low temperature"},)"
                      R"({"section":"Snow on panels","query":"losses from snow cover on solar panels"}]})"},
        {"user", fmt::format("Question: {}\n{}{}Queries: {}", topic, organization.empty() ? "" : "Report structure: " + organization + "\n",
                             bullet_list("In the library", headings), count)}};
    request.json_schema = json::value{
        {"type", "object"},
        {"properties", {{"queries", {{"type", "array"}, {"items", query_schema(headings)}, {"minItems", count}, {"maxItems", count}}}}},
        {"required", {"queries"}},
        {"additionalProperties", false}};
    request.json_schema_name = "plan";
    request.max_tokens = kTokensPerQuery * count + 20;
    request.extra = {{"frequency_penalty", kFrequencyPenalty}};
    return request;
}

Result<std::vector<Query>> parse_plan(const std::string& text, int count) {
    const auto parsed = parse_json(text);
    if (!parsed) return fail(ErrorCode::bad_response, "the plan is no JSON: " + parsed.error().message);
    const auto* list = find(*parsed, "queries");
    if (!list || !list->is_array()) return fail(ErrorCode::bad_response, "the plan has no list of queries");
    std::vector<Query> queries;
    for (const json::value& item : list->get_array()) {
        auto query = parse_query(item);
        if (!query) continue;
        if (covers(queries, query->text) || covers(queries, query->section) || static_cast<int>(queries.size()) == count) continue;
        query->order = static_cast<int>(queries.size());
        queries.push_back(std::move(*query));
    }
    if (queries.empty()) return fail(ErrorCode::bad_response, "the plan has no usable query");
    return queries;
}

void complete_plan(const std::string& topic, const std::vector<std::string>& headings, int count, std::vector<Query>& queries) {
    for (const std::string& heading : headings) {
        if (static_cast<int>(queries.size()) >= count) return;
        if (covers(queries, heading)) continue;
        queries.push_back({.text = fmt::format("{} {}", topic, heading), .section = heading, .order = static_cast<int>(queries.size())});
    }
}

llm::ChatRequest section_request(const std::string& topic, const Query& query, const std::vector<Sentence>& quotes, int max_tokens) {
    std::string notes;
    for (const Sentence& quote : quotes) notes += "- " + quote.text + "\n";
    llm::ChatRequest request;
    request.messages = {
        {"system", "You write one short paragraph of a report. Use only the notes. Two plain sentences. No lists, no headings."},
        {"user",
         "Question: How do solar panels behave in winter?\nSection: Snow on panels\nNotes:\n- A closed cover of 3 cm of snow stops all "
         "output."},
        {"assistant", "Snow on panels stops all output once the cover is closed, which takes 3 cm. Thinner snow lets some light through."},
        {"user", fmt::format("Question: {}\nSection: {}\nNotes:\n{}", topic, query.section, notes)}};
    request.max_tokens = max_tokens;
    request.stop = {"\n\n"};
    request.extra = {{"frequency_penalty", kFrequencyPenalty}};
    return request;
}

llm::ChatRequest reflection_request(const std::string& topic, const std::vector<Section>& sections,
                                    const std::vector<std::string>& headings) {
    std::vector<std::string> titles;
    for (const Section& section : sections) titles.push_back(section.title);
    llm::ChatRequest request;
    request.messages = {
        {"system",
         "You review a report's sections and name the one part of the question that is still missing, with a search query for it. "
         "Answer in JSON."},
        {"user", "Question: How do solar panels behave in winter?\nSections:\n- Snow on panels\nIn the library:\n- Storage\n- Sun angle\n"},
        {"assistant", R"({"section":"Sun angle","query":"low sun angle and panel tilt in winter"})"},
        {"user", fmt::format("Question: {}\n{}{}", topic, bullet_list("Sections", titles), bullet_list("In the library", headings))}};
    request.json_schema = query_schema(headings);
    request.json_schema_name = "gap";
    request.max_tokens = kTokensPerQuery;
    request.extra = {{"frequency_penalty", kFrequencyPenalty}};
    return request;
}

Result<Query> parse_reflection(const std::string& text) {
    const auto parsed = parse_json(text);
    if (!parsed) return fail(ErrorCode::bad_response, "the reflection is no JSON: " + parsed.error().message);
    return parse_query(*parsed);
}

}  // namespace plimsoll::research
