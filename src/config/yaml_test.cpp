#include "config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll::config {
namespace {

struct Parsed {
    std::optional<Node> root;
    std::vector<Problem> problems;

    std::string json() const { return root ? to_compact_json(to_json(*root)) : "nothing"; }
};

Parsed parse(std::string_view text) {
    Problems problems;
    const int source = problems.add_source("f.yml");
    auto root = parse_yaml(text, source, problems);
    return {std::move(root), problems.in_file_order()};
}

TEST(Yaml, PlainScalarsFollowTheCoreSchema) {
    const std::vector<std::pair<std::string, std::string>> cases = {{"", "null"},
                                                                    {"~", "null"},
                                                                    {"Null", "null"},
                                                                    {"nULL", "\"nULL\""},
                                                                    {"true", "true"},
                                                                    {"FALSE", "false"},
                                                                    {"tRUE", "\"tRUE\""},
                                                                    {"yes", "\"yes\""},
                                                                    {"0", "0"},
                                                                    {"-7", "-7"},
                                                                    {"+7", "7"},
                                                                    {"007", "7"},
                                                                    {"0x1F", "31"},
                                                                    {"0o17", "15"},
                                                                    {"0x", "\"0x\""},
                                                                    {"0x-1", "\"0x-1\""},
                                                                    {"1.5", "1.5"},
                                                                    {".5", "0.5"},
                                                                    {"5.", "5.0"},
                                                                    {"1e3", "1000.0"},
                                                                    {"-1.5E-2", "-0.015"},
                                                                    {"1e", "\"1e\""},
                                                                    {".", "\".\""},
                                                                    {"-", "\"-\""},
                                                                    {"1_000", "\"1_000\""},
                                                                    {"1.2.3", "\"1.2.3\""},
                                                                    {"+-1", "\"+-1\""},
                                                                    {"--1", "\"--1\""},
                                                                    {"1e999", "\"1e999\""},
                                                                    {"9223372036854775807", "9223372036854775807"},
                                                                    {"9223372036854775808", "9.223372036854776e+18"},
                                                                    {"inf", "\"inf\""},
                                                                    {"nan", "\"nan\""},
                                                                    {"2024-01-01", "\"2024-01-01\""}};
    for (const auto& [text, expected] : cases) EXPECT_EQ(to_compact_json(read_plain(text)), expected) << text;
    EXPECT_GT(read_plain(".inf").as_double(), 1e308);
    EXPECT_LT(read_plain("-.INF").as_double(), -1e308);
    EXPECT_NE(read_plain(".NaN").as_double(), read_plain(".NaN").as_double());
}

TEST(Yaml, QuotedBlockAndTaggedScalarsAreText) {
    EXPECT_EQ(parse("a: '1'\nb: \"true\"\nc: |\n  2\nd: !!str 3\ne: !!int \"4\"\nf: \"\"\n").json(),
              R"({"a":"1","b":"true","c":"2\n","d":"3","e":4,"f":""})");
}

TEST(Yaml, BlockScalarsKeepTheirEnd) {
    EXPECT_EQ(parse("a: |\n  x\n").json(), R"({"a":"x\n"})");
    EXPECT_EQ(parse("a: |-\n  x\n").json(), R"({"a":"x"})");
    EXPECT_EQ(parse("a: |+\n  x\n\n\n").json(), R"({"a":"x\n\n\n"})");
    EXPECT_EQ(parse("a: >\n  x\n  # y\n\n  z\n").json(), R"({"a":"x # y\nz\n"})");
    EXPECT_EQ(parse("a:\n  b\n  c\n").json(), R"({"a":"b c"})");
}

TEST(Yaml, KeepsOrderAndPlaces) {
    const auto parsed = parse("z: 1\na:\n  - x\n  - {k: v}\n");
    ASSERT_TRUE(parsed.root);
    EXPECT_EQ(parsed.json(), R"({"z":1,"a":["x",{"k":"v"}]})");
    const Node& list = *find(*parsed.root, "a");
    EXPECT_EQ(find_member(*parsed.root, "a")->mark, (Mark{0, 2, 1}));
    EXPECT_EQ(list.items[0].mark, (Mark{0, 3, 5}));
    EXPECT_EQ(find(list.items[1], "k")->mark, (Mark{0, 4, 9}));
}

TEST(Yaml, ReadsJson) {
    EXPECT_EQ(parse("{\n\t\"a\": [1, 2.5, null, true, \"x\\ny\"],\n\t\"b\":{\"c\":\"d\"}\n}\n").json(),
              R"({"a":[1,2.5,null,true,"x\ny"],"b":{"c":"d"}})");
}

TEST(Yaml, AnchorsAndMergeKeys) {
    EXPECT_EQ(parse("a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, k: 3}\nd: {<<: [{k: 4}, *x]}\n\"<<\": plain\n").json(),
              R"({"a":{"k":1,"l":2},"b":{"k":1,"l":2},"c":{"k":3,"l":2},"d":{"k":4,"l":2},"<<":"plain"})");
    EXPECT_FALSE(parse("a: {<<: 3}").root);
    EXPECT_FALSE(parse("a: &x [*x]").root);
    EXPECT_FALSE(parse("a: *nobody").root);
}

TEST(Yaml, ExpressionsInFlowCollectionsStayWhole) {
    EXPECT_EQ(parse("a: {b: ${B:?must be set}, c: ${C:-x, [y]}, d: e}\nf: ${F:?say: what}\n").json(),
              R"({"a":{"b":"${B:?must be set}","c":"${C:-x, [y]}","d":"e"},"f":"${F:?say: what}"})");
    EXPECT_EQ(parse("a: [${A}, ${B:-b}]\nb: {c: ${C}, d: \"${D\"}\ne: ${A:-${B}} and {f}\n").json(),
              R"({"a":["${A}","${B:-b}"],"b":{"c":"${C}","d":"${D"},"e":"${A:-${B}} and {f}"})");
}

TEST(Yaml, DuplicateKeysAreAllReported) {
    const auto parsed = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n");
    ASSERT_EQ(parsed.problems.size(), 2u);
    EXPECT_EQ(parsed.problems[0].place, "f.yml:2:11");
    EXPECT_EQ(parsed.problems[1].place, "f.yml:3:1");
}

TEST(Yaml, OneProblemWithItsPlaceForWhatIsNoYaml) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"a: [1, 2\nb: 3\n", "f.yml:2:2"},
        {"a: 1\n  b: 2\n", "f.yml:2:4"},
        {"a: \"open\n", "f.yml:2:2"},
        {"a: 'open\n  \n", "f.yml:3:2"},
        {"a: \"open", "f.yml:1:9"},
        {"a: 1\nb: x\xff\n", "f.yml:2:5"},
        {"a: 1\nb: \x01\n", "f.yml:2:4"},
        {"a: 1\n---\nb: 2\n", "f.yml:3:1"},
        {"? [a]\n: b\n", "f.yml:1:3"},
        {"a: 1\n~: 2\n", "f.yml:2:1"},
        {"a: !python/object x\n", "f.yml:1:4"},
    };
    for (const auto& [text, place] : cases) {
        const auto parsed = parse(text);
        EXPECT_FALSE(parsed.root) << text;
        ASSERT_EQ(parsed.problems.size(), 1u) << text;
        EXPECT_EQ(parsed.problems[0].place, place) << text << parsed.problems[0].message;
    }
}

TEST(Yaml, AnEmptyDocumentIsNull) {
    for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "\xEF\xBB\xBF"}) {
        const auto parsed = parse(text);
        ASSERT_TRUE(parsed.root) << text;
        EXPECT_TRUE(parsed.root->is_null()) << text;
    }
}

TEST(Yaml, DepthIsBounded) {
    EXPECT_TRUE(parse(std::string(60, '[') + std::string(60, ']')).root);
    for (const std::size_t depth : {80u, 600u, 100'000u}) {
        const auto parsed = parse(std::string(depth, '['));
        EXPECT_FALSE(parsed.root);
        EXPECT_EQ(parsed.problems.size(), 1u);
    }
    // Aliases count with what they hold.
    std::string text = "a0: &a0 [x]\n";
    for (int i = 1; i < 70; ++i) text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    EXPECT_FALSE(parse(text).root);
}

TEST(Yaml, BillionLaughsAreRefused) {
    std::string text = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
    for (char c = 'b'; c < 'k'; ++c) {
        const std::string before = std::string("*") + static_cast<char>(c - 1);
        text += std::string(1, c) + ": &" + c + " [" + before;
        for (int i = 0; i < 8; ++i) text += ", " + before;
        text += "]\n";
    }
    EXPECT_FALSE(parse(text).root);
    // Few values, much text.
    std::string copies = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [";
    for (int i = 0; i < 1000; ++i) copies += "*a, ";
    EXPECT_FALSE(parse(copies + "]\n").root);
}

TEST(Yaml, SizeIsBounded) {
    EXPECT_FALSE(parse(std::string(kMaxFileBytes + 1, ' ')).root);
    std::string many = "a:\n";
    for (std::size_t i = 0; i <= kMaxNodes; ++i) many += "- x\n";
    EXPECT_FALSE(parse(many).root);
}

TEST(Node, MergeReplacesAllButMappings) {
    auto under = *parse("a: {b: 1, c: [1, 2]}\nd: 4\n").root;
    merge(under, *parse("e: 5\na: {c: [3], b: {x: 1}}\nd:\n").root);
    EXPECT_EQ(to_compact_json(to_json(under)), R"({"a":{"b":{"x":1},"c":[3]},"d":null,"e":5})");
}

}  // namespace
}  // namespace plimsoll::config
