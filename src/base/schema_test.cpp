#include "base/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace plimsoll {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Sample {
    std::string model_name;
    std::optional<double> temperature;
    std::optional<double> timeout_s = 60.0;
    int max_tokens = 300;
    std::int64_t seed = 7;
    bool stream = true;
    std::vector<std::string> stop = {"\n"};
    std::string mode = "fast";
    std::string api_key;
    json::value extra;
};

const Schema<Sample>& sample_schema() {
    static const auto schema = Schema<Sample>("llms", "sample", "one of everything")
                                   .required("model_name", &Sample::model_name, "model")
                                   .alias("model")
                                   .field("temperature", &Sample::temperature, "sampling temperature")
                                   .range(0, 2)
                                   .field("timeout_s", &Sample::timeout_s, "seconds")
                                   .field("max_tokens", &Sample::max_tokens, "bound of an answer")
                                   .at_least(1)
                                   .field("seed", &Sample::seed, "seed")
                                   .field("stream", &Sample::stream, "token by token")
                                   .field("stop", &Sample::stop, "stop words")
                                   .field("mode", &Sample::mode, "mode")
                                   .one_of({"fast", "slow"})
                                   .field("api_key", &Sample::api_key, "key")
                                   .secret()
                                   .field("extra", &Sample::extra, "anything");
    return schema;
}

json::object with(std::string_view name, json::value value) { return {{"model_name", "m"}, {name, std::move(value)}}; }

TEST(Schema, DefaultsAreThoseOfTheStruct) {
    const auto parsed = sample_schema().parse({{"model_name", "m"}});
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->max_tokens, 300);
    EXPECT_EQ(parsed->timeout_s, 60.0);
    EXPECT_FALSE(parsed->temperature);
    EXPECT_EQ(parsed->stop, std::vector<std::string>{"\n"});
}

TEST(Schema, DescribesItsFields) {
    const auto& fields = sample_schema().info().fields;
    ASSERT_EQ(fields.size(), 10u);
    EXPECT_TRUE(fields[0].required);
    EXPECT_TRUE(fields[0].default_value.is_null());
    EXPECT_TRUE(fields[1].nullable);
    EXPECT_EQ(fields[1].max, 2);
    EXPECT_EQ(fields[2].default_value, json::value(60.0));
    EXPECT_EQ(fields[3].type, FieldType::integer);
    EXPECT_EQ(fields[6].type, FieldType::text_list);
    EXPECT_TRUE(fields[8].secret);
    EXPECT_EQ(fields[9].type, FieldType::any);
}

TEST(Schema, ConvertsScalarsAsYamlUsersExpect) {
    const auto parsed = sample_schema().parse(
        {{"model", 7}, {"temperature", 1}, {"max_tokens", "12"}, {"seed", 3.0}, {"stream", "Off"}, {"stop", {1, true}}, {"extra", {1, 2}}});
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->model_name, "7");
    EXPECT_EQ(parsed->temperature, 1.0);
    EXPECT_EQ(parsed->max_tokens, 12);
    EXPECT_EQ(parsed->seed, 3);
    EXPECT_FALSE(parsed->stream);
    EXPECT_EQ(parsed->stop, (std::vector<std::string>{"1", "true"}));
    EXPECT_EQ(parsed->extra, json::value({1, 2}));
}

TEST(Schema, NullMeansNotSet) {
    const auto parsed = sample_schema().parse({{"model_name", "m"}, {"timeout_s", nullptr}, {"max_tokens", nullptr}});
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->timeout_s);
    EXPECT_EQ(parsed->max_tokens, 300);
    EXPECT_FALSE(sample_schema().parse({{"model_name", nullptr}}));
}

TEST(Schema, RefusesWhatDoesNotFit) {
    const std::vector<std::pair<std::string, json::value>> wrong = {
        {"temperature", 2.5},
        {"temperature", "warm"},
        {"temperature", std::numeric_limits<double>::quiet_NaN()},
        {"temperature", "inf"},
        {"max_tokens", 0},
        {"max_tokens", 1.5},
        {"max_tokens", 3e9},
        {"max_tokens", json::array{}},
        {"max_tokens", ""},
        {"seed", 1e300},
        {"stream", "maybe"},
        {"stream", 1},
        {"stop", "one"},
        {"stop", {1, nullptr}},
        {"mode", "medium"},
        {"mode", json::object{}},
    };
    for (const auto& [name, value] : wrong) {
        const auto parsed = sample_schema().parse(with(name, value));
        ASSERT_FALSE(parsed) << name << " " << to_compact_json(value);
        EXPECT_EQ(parsed.error().code, ErrorCode::config);
        EXPECT_THAT(parsed.error().message, HasSubstr(name));
    }
}

TEST(Schema, NamesEveryWrongField) {
    json::object settings = {{"max_tokens", 0}, {"stream", "maybe"}};
    const auto problems = normalise(sample_schema().info(), settings);
    ASSERT_EQ(problems.size(), 3u);
    EXPECT_EQ(problems[0].field, "model_name");
    EXPECT_EQ(problems[1].field, "max_tokens");
    EXPECT_EQ(problems[2].field, "stream");
}

TEST(Schema, AnAliasBesideTheNameIsAProblem) {
    json::object settings = {{"model", "a"}, {"model_name", "b"}};
    const auto problems = normalise(sample_schema().info(), settings);
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].field, "model");
    EXPECT_EQ(settings, (json::object{{"model_name", "b"}}));
}

TEST(Schema, SecretsAndLongValuesStayOutOfMessages) {
    const auto secret = sample_schema().parse(with("api_key", {"sk-1234"}));
    ASSERT_FALSE(secret);
    EXPECT_THAT(secret.error().message, Not(HasSubstr("sk-1234")));
    const auto longer = sample_schema().parse(with("mode", json::value(std::string(10000, 'x'))));
    ASSERT_FALSE(longer);
    EXPECT_LT(longer.error().message.size(), 200u);
}

TEST(Schema, MappingsAreCheckedInside) {
    struct Inner {
        std::string key = "k";
        bool on = false;
        json::value lists;
    };
    struct Outer {
        json::value open, closed;
    };
    const auto inner = Schema<Inner>("", "", "")
                           .field("key", &Inner::key, "")
                           .alias("name")
                           .field("on", &Inner::on, "")
                           .field("lists", &Inner::lists, "")
                           .lists_of_text();
    const auto outer =
        Schema<Outer>("", "", "").field("open", &Outer::open, "").holds(inner).field("closed", &Outer::closed, "").holds_only(inner);
    const auto good = outer.parse({{"open", {{"name", 7}, {"on", "yes"}, {"lists", {{"a", json::array{1, "b"}}}}, {"more", 1}}}});
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->open.at("key"), "7");
    EXPECT_EQ(good->open.at("on"), true);
    EXPECT_EQ(good->open.at("lists").at("a").at(0), "1");
    json::object bad = {{"open", {{"on", 3}, {"lists", {{"a", 1}}}}}, {"closed", {{"more", 1}}}};
    const auto problems = normalise(outer.info(), bad);
    ASSERT_EQ(problems.size(), 3u);
    EXPECT_EQ(problems[0].field, "open.on");
    EXPECT_EQ(problems[1].field, "open.lists");
    EXPECT_EQ(problems[2].field, "closed.more");
    EXPECT_TRUE(problems[2].is_unknown);
    EXPECT_FALSE(outer.parse({{"open", 5}}));
}

TEST(Schema, ListsHaveChoicesToo) {
    FieldInfo field{.name = "stages", .type = FieldType::text_list, .choices = {"a", "b"}};
    json::value good = {"a", "b"};
    json::value bad = {"a", "c"};
    EXPECT_FALSE(normalise(field, good));
    EXPECT_TRUE(normalise(field, bad));
}

}  // namespace
}  // namespace plimsoll
