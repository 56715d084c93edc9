#include "eval/json_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace plimsoll::eval {
namespace {

std::vector<std::string> matches(std::string_view path, const json::value& root) {
    std::vector<std::string> out;
    for (const json::value* value : JsonPath::parse(path).value().match(root)) out.push_back(to_compact_json(*value));
    return out;
}

TEST(JsonPath, FindsWhatItNames) {
    const json::value root = parse_json(R"({"a":{"b":[1,{"c":2},{"c":[3]}],"x.y":4},"c":5,"list":[[6],[7]]})").value();
    struct Case {
        const char* path;
        std::vector<std::string> found;
    };
    for (const auto& [path, found] :
         {Case{"$.c", {"5"}}, Case{"c", {"5"}}, Case{"a.b[0]", {"1"}}, Case{"$['a'][\"b\"][1].c", {"2"}}, Case{"$.a['x.y']", {"4"}},
          Case{"$.a.b[-1].c[0]", {"3"}}, Case{"$.a.b[3]", {}}, Case{"$.a.b[-4]", {}}, Case{"$.none", {}}, Case{"$.c.d", {}},
          Case{"$.list[*][0]", {"6", "7"}}, Case{"$..c", {"5", "2", "[3]"}}, Case{"$.a..c", {"2", "[3]"}},
          Case{"$..[0]", {"1", "3", "[6]", "6", "7"}}, Case{"$.list.*", {"[6]", "[7]"}}, Case{"$..*..none", {}}})
        EXPECT_EQ(matches(path, root), found) << path;
    EXPECT_TRUE(JsonPath::parse("$")->is_whole());
    EXPECT_EQ(matches("$", root), std::vector{to_compact_json(root)});
    EXPECT_TRUE(matches("$.a", "text").empty());
}

TEST(JsonPath, WrongPathsAreRefusedWithTheirPlace) {
    for (const char* path : {"", "$x", "$.", "$..", "$[", "$[a]", "$['a]", "$['a'x", "$[0", "$.a[]", "$.a b]["})
        EXPECT_EQ(JsonPath::parse(path).error().code, ErrorCode::invalid_argument) << path;
    EXPECT_THAT(JsonPath::parse("$.a[x]").error().message, testing::HasSubstr("character 6"));
    std::string longest = "$", longer = "$";
    for (std::size_t i = 0; i < JsonPath::kMaxSteps; ++i) longest += ".a";
    longer = longest + ".a";
    EXPECT_TRUE(JsonPath::parse(longest));
    EXPECT_FALSE(JsonPath::parse(longer));
}

TEST(JsonPath, MatchesAreBounded) {
    json::array wide(1000, json::array(100, 1));
    EXPECT_EQ(JsonPath::parse("$..*")->match(wide).size(), JsonPath::kMaxMatches);
    EXPECT_EQ(JsonPath::parse("$..*..*..*")->match(wide).size(), 0u) << "numbers have no members";
}

}  // namespace
}  // namespace plimsoll::eval
