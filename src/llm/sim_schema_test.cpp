#include "llm/sim_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace plimsoll::llm {
namespace {

json::value instance(std::string_view schema) {
    auto made = make_schema_instance(*parse_json(schema));
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(nullptr);
}

ErrorCode error(std::string_view schema) {
    const auto made = make_schema_instance(*parse_json(schema));
    return made ? ErrorCode::internal : made.error().code;
}

TEST(SimSchema, WritesAPlan) {
    const auto plan = instance(R"({"type":"object","required":["queries","depth"],"additionalProperties":false,"properties":{
        "queries":{"type":"array","minItems":2,"maxItems":4,"items":{"type":"object","required":["query","kind"],
            "properties":{"query":{"type":"string","maxLength":20},"kind":{"enum":["web","paper"]},"note":{"type":"string"}}}},
        "depth":{"type":"integer","minimum":3}}})");
    ASSERT_EQ(plan.at("queries").as_array().size(), 2u);
    const auto& first = plan.at("queries").at(0).as_object();
    EXPECT_EQ(first.size(), 2u);
    EXPECT_EQ(first.at("kind"), "web");
    EXPECT_EQ(first.at("query").as_string().size(), 20u);
    EXPECT_NE(first.at("query"), plan.at("queries").at(1).at("query"));
    EXPECT_EQ(plan.at("depth"), 3);
}

TEST(SimSchema, IsDeterministic) {
    const char* schema = R"({"type":"array","minItems":40,"items":{"type":"string"}})";
    EXPECT_EQ(instance(schema), instance(schema));
    std::set<std::string> texts;
    for (const auto& text : instance(schema).as_array()) texts.insert(std::string(text.as_string()));
    EXPECT_EQ(texts.size(), 40u);
}

TEST(SimSchema, FollowsPydantic) {
    const auto value =
        instance(R"({"$defs":{"Step":{"type":"object","properties":{"title":{"type":"string"},"next":{"anyOf":[{"type":"null"},
        {"$ref":"#/$defs/Step"}]}},"required":["title"]}},"properties":{"steps":{"type":"array","items":{"$ref":"#/$defs/Step"}},
        "limit":{"default":7,"type":"integer"},"maybe":{"anyOf":[{"type":"null"},{"type":"boolean"}]}}})");
    EXPECT_EQ(value.at("steps").as_array().size(), 3u);
    EXPECT_TRUE(value.at("steps").at(0).as_object().contains("title"));
    EXPECT_EQ(value.at("limit"), 7);
    EXPECT_EQ(value.at("maybe"), true);
}

TEST(SimSchema, RecursionEndsWhereItMay) {
    const auto tree = instance(R"({"$ref":"#/$defs/Node","$defs":{"Node":{"type":"object","properties":{
        "children":{"type":"array","items":{"$ref":"#/$defs/Node"}}}}}})");
    EXPECT_TRUE(tree.is_object());
    EXPECT_EQ(error(R"({"$ref":"#"})"), ErrorCode::limit);
    EXPECT_EQ(error(R"({"type":"object","required":["a"],"properties":{"a":{"$ref":"#"}}})"), ErrorCode::limit);
}

TEST(SimSchema, KeepsNumbersInTheirBounds) {
    EXPECT_EQ(instance(R"({"type":"integer"})"), 1);
    EXPECT_EQ(instance(R"({"type":"integer","maximum":-5})"), -5);
    EXPECT_EQ(instance(R"({"type":"integer","minimum":1,"multipleOf":5})"), 5);
    EXPECT_EQ(instance(R"({"type":"integer","exclusiveMinimum":3})"), 4);
    EXPECT_EQ(instance(R"({"type":"number","exclusiveMinimum":0,"maximum":1})"), 0.5);
    EXPECT_EQ(instance(R"({"type":"number","minimum":0.25})"), 0.25);
    EXPECT_EQ(error(R"({"type":"integer","minimum":6,"maximum":9,"multipleOf":5})"), ErrorCode::invalid_argument);
}

TEST(SimSchema, KeepsTextsInTheirBounds) {
    EXPECT_EQ(instance(R"({"type":"string","maxLength":0})"), "");
    EXPECT_EQ(instance(R"({"type":"string","minLength":500,"maxLength":500})").as_string().size(), 500u);
    EXPECT_EQ(instance(R"({"type":["null","string"],"format":"date"})"), "2025-01-31");
    EXPECT_EQ(instance(R"({"const":"é"})"), "é");
    EXPECT_EQ(error(R"({"type":"string","pattern":"^[a-z]+$"})"), ErrorCode::unsupported);
}

TEST(SimSchema, MergesAllOf) {
    const auto value = instance(R"({"$defs":{"A":{"properties":{"a":{"type":"integer"}},"required":["a"]}},
        "allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{"type":"boolean"}},"required":["b"]}]})");
    EXPECT_EQ(value, (json::value{{"a", 1}, {"b", true}}));
}

TEST(SimSchema, RefusesNonsenseAndHugeOnes) {
    EXPECT_EQ(error(R"({"type":"spline"})"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"({"type":7})"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"([])"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"({"enum":[]})"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"({"$ref":"#/$defs/Nobody"})"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"({"$ref":"https://example.com/schema"})"), ErrorCode::invalid_argument);
    EXPECT_EQ(error(R"({"type":"array","minItems":1000000000})"), ErrorCode::limit);
    EXPECT_EQ(error(R"({"type":"array","minItems":9999,"items":{"type":"array","minItems":9999}})"), ErrorCode::limit);
    EXPECT_EQ(error(R"({"type":"string","minLength":1000000000})"), ErrorCode::limit);
    EXPECT_EQ(error(R"({"type":"array","minItems":3,"uniqueItems":true,"items":{"type":"boolean"}})"), ErrorCode::unsupported);
}

}  // namespace
}  // namespace plimsoll::llm
