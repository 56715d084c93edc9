#include "config/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/test_catalogue.h"

namespace plimsoll::config {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Listing, KindsAreNatsNames) {
    const std::vector<std::pair<std::string, std::string>> cases = {{"llm_provider", "llms"},           {"llm_client", "llms"},
                                                                    {"embedder_provider", "embedders"}, {"function", "functions"},
                                                                    {"evaluator", "evaluators"},        {"tracing", "telemetry.tracing"},
                                                                    {"logging", "telemetry.logging"},   {"dataset_loader", "dataset"},
                                                                    {"front_end", "front_end"},         {"llms", "llms"}};
    for (const auto& [kind, section] : cases) EXPECT_EQ(section_of_kind(kind).value_or("none"), section) << kind;
    const auto unknown = section_of_kind("functon");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(unknown.error().message, HasSubstr("function"));
    EXPECT_THAT(section_of_kind("llm").error().message, HasSubstr("\"llms\""));
}

TEST(Listing, TableNamesTypeFieldDefaultAndMeaning) {
    const std::string table = list_components({test_llm("llms", "nim")});
    EXPECT_EQ(table,
              "SECTION  TYPE  FIELD            FIELD TYPE    DEFAULT   MEANING\n"
              "llms     nim                                            a model behind an endpoint\n"
              "               model_name       text          required  model to ask for (also model)\n"
              "               base_url         text          \"\"        where the server is\n"
              "               api_key          text          \"\"        key of the account\n"
              "               temperature      number        -         sampling temperature\n"
              "               request_timeout  number        60.0      seconds\n"
              "               max_tokens       whole number  300       bound of an answer\n");
}

TEST(Listing, OneSectionOnly) {
    const std::string table = list_components(in_section(test_catalogue(), "functions"));
    for (const char* type : {"react_agent", "current_datetime", "deep_research"}) EXPECT_THAT(table, HasSubstr(type));
    EXPECT_THAT(table, Not(HasSubstr("otelcollector")));
    EXPECT_TRUE(in_section(test_catalogue(), "memory").empty());
}

TEST(Listing, LongDefaultsAreCutBetweenCharacters) {
    std::string prompt;
    for (int i = 0; i < 100; ++i) prompt += "é\n";
    const std::string table =
        list_components({{.section = "s", .type = "t", .fields = {{.name = "f", .default_value = json::value(prompt), .doc = "d"}}}});
    EXPECT_LT(table.size(), 400u);
    EXPECT_TRUE(parse_json("\"" + table.substr(table.find("\\u") == std::string::npos ? table.size() : 0) + "\""));
}

TEST(Listing, JsonHasEveryProperty) {
    const auto value = to_json(Catalogue{test_agent("functions", "react_agent"), test_llm("llms", "nim")});
    ASSERT_EQ(value.as_array().size(), 2u);
    const auto& llm_name = value.at(0).at("fields").at(0);
    EXPECT_EQ(llm_name.at("refers_to"), json::value("llms"));
    EXPECT_EQ(llm_name.at("required"), json::value(true));
    const auto& temperature = value.at(1).at("fields").at(3);
    EXPECT_EQ(temperature.at("max"), json::value(2.0));
    EXPECT_EQ(temperature.at("type"), json::value("number"));
    EXPECT_TRUE(value.at(1).at("fields").at(2).at("secret").as_bool());
}

}  // namespace
}  // namespace plimsoll::config
