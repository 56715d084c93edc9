#include "research/prompts.h"

#include <fmt/format.h>

#include <algorithm>

#include "research/sentences.h"

namespace plimsoll::research {
namespace {

constexpr int kMaxQueryChars = 90;
constexpr int kMaxSectionChars = 48;

json::value query_schema() {
    return {{"type", "object"},
            {"properties",
             {{"query", {{"type", "string"}, {"minLength", 8}, {"maxLength", kMaxQueryChars}}},
              {"section", {{"type", "string"}, {"minLength", 3}, {"maxLength", kMaxSectionChars}}}}},
            {"required", {"query", "section"}},
            {"additionalProperties", false}};
}

Result<Query> parse_query(const json::value& value) {
    const auto text = get_string(value, "query");
    const auto section = get_string(value, "section");
    if (!text || !section) return fail(ErrorCode::bad_response, "a query needs \"query\" and \"section\"");
    if (content_words(*text).empty()) return fail(ErrorCode::bad_response, "a query without a word");
    return Query{*text, *section};
}

}  // namespace

llm::ChatRequest plan_request(const std::string& topic, const std::string& organization, int count) {
    llm::ChatRequest request;
    request.messages = {
        {"system",
         "You plan the research for a short report. Split the question into search queries, each about a different part of it. "
         "Give every query the heading of the section it feeds. Answer in JSON."},
        {"user", "Question: How do solar panels behave in winter?\nQueries: 2"},
        {"assistant",
         R"({"queries":[{"query":"solar panel output at low temperature","section":"Cold and efficiency"},)"
         R"({"query":"snow cover on solar panels losses","section":"Snow losses"}]})"},
        {"user", fmt::format("Question: {}\n{}Queries: {}", topic, organization.empty() ? "" : "Report structure: " + organization + "\n", count)}};
    request.json_schema = json::value{{"type", "object"},
                                      {"properties", {{"queries", {{"type", "array"}, {"items", query_schema()}, {"minItems", count}, {"maxItems", count}}}}},
                                      {"required", {"queries"}},
                                      {"additionalProperties", false}};
    request.json_schema_name = "plan";
    request.max_tokens = 60 * count + 30;
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
        const bool repeated = std::ranges::any_of(queries, [&](const Query& q) { return content_words(q.text) == content_words(query->text); });
        if (repeated || static_cast<int>(queries.size()) == count) continue;
        query->order = static_cast<int>(queries.size());
        queries.push_back(std::move(*query));
    }
    if (queries.empty()) return fail(ErrorCode::bad_response, "the plan has no usable query");
    return queries;
}

llm::ChatRequest section_request(const std::string& topic, const Query& query, const std::vector<Sentence>& quotes, int max_tokens) {
    std::string notes;
    for (const Sentence& quote : quotes) notes += "- " + quote.text + "\n";
    llm::ChatRequest request;
    request.messages = {
        {"system", "You write one short paragraph of a report. Use only the notes. Two or three plain sentences. No lists, no headings."},
        {"user", fmt::format("Question: {}\nSection: {}\nNotes:\n{}", topic, query.section, notes)}};
    request.max_tokens = max_tokens;
    request.stop = {"\n\n"};
    request.extra = {{"repeat_penalty", 1.15}};
    return request;
}

llm::ChatRequest reflection_request(const std::string& topic, const std::vector<Section>& sections) {
    std::string headings;
    for (const Section& section : sections) headings += "- " + section.title + "\n";
    llm::ChatRequest request;
    request.messages = {
        {"system", "You review a report's sections and name the one search query whose answer is still missing. Answer in JSON."},
        {"user", "Question: How do solar panels behave in winter?\nSections:\n- Cold and efficiency\n- Snow losses\n"},
        {"assistant", R"({"query":"low sun angle and panel tilt in winter","section":"Sun angle"})"},
        {"user", fmt::format("Question: {}\nSections:\n{}", topic, headings)}};
    request.json_schema = query_schema();
    request.json_schema_name = "gap";
    request.max_tokens = 80;
    return request;
}

Result<Query> parse_reflection(const std::string& text) {
    const auto parsed = parse_json(text);
    if (!parsed) return fail(ErrorCode::bad_response, "the reflection is no JSON: " + parsed.error().message);
    return parse_query(*parsed);
}

}  // namespace plimsoll::research
