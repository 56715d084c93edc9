#include "config/expand.h"

#include <gtest/gtest.h>

#include <map>

namespace plimsoll::config {
namespace {

Result<std::string> expand_with(const std::string& text, std::size_t max_bytes = 1000) {
    static const std::map<std::string, std::string> variables = {
        {"A", "1"}, {"EMPTY", ""}, {"NESTED", "${A}"}, {"LONG", std::string(600, 'x')}};
    const auto getenv = [](const std::string& name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    };
    return expand(text, getenv, max_bytes);
}

TEST(Expand, Forms) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"", ""},
        {"plain", "plain"},
        {"${A}", "1"},
        {"x${A}y${A}", "x1y1"},
        {"${NONE}", ""},
        {"${NONE:-d}", "d"},
        {"${NONE-d}", "d"},
        {"${EMPTY:-d}", "d"},
        {"${EMPTY-d}", "d"},
        {"${A:-d}", "1"},
        {"${NONE:-}", ""},
        {"${NONE:-http://h:1/v1}", "http://h:1/v1"},
        {"${NONE:-a:}", "a:"},
        {"${NONE:-${A}}", "1"},
        {"${NONE:-<${NONE:-${EMPTY:-deep}}>}", "<deep>"},
        {"${A:?need}", "1"},
        {"${A:-${NONE:?not needed}}", "1"},
        {"${NESTED}", "${A}"},
        {"$A", "$A"},
        {"$5 and $$", "$5 and $$"},
        {"$", "$"},
        {"}", "}"},
        {"\\${A}", "${A}"},
        {"\\\\${A}", "\\${A}"},
        {"\\$A", "\\$A"},
    };
    for (const auto& [text, expected] : cases) {
        const auto expanded = expand_with(text);
        ASSERT_TRUE(expanded) << text << ": " << expanded.error().message;
        EXPECT_EQ(*expanded, expected) << text;
    }
}

TEST(Expand, Errors) {
    for (const char* text : {"${A", "${", "${}", "${1}", "${A:}", "${A:", "${A:-x", "${A:-${B}", "${A:+x}", "${A%x}", "${A B}", "${ A}"}) {
        const auto expanded = expand_with(text);
        ASSERT_FALSE(expanded) << text;
        EXPECT_EQ(expanded.error().code, ErrorCode::parse) << text;
    }
    EXPECT_EQ(expand_with("${NONE:?need}").error().code, ErrorCode::config);
    EXPECT_EQ(expand_with("${NONE:?need}").error().message, "NONE: need");
    EXPECT_EQ(expand_with("${EMPTY?}").error().code, ErrorCode::config);
}

TEST(Expand, Bounds) {
    EXPECT_TRUE(expand_with("${LONG}"));
    EXPECT_EQ(expand_with("${LONG}${LONG}").error().code, ErrorCode::limit);
    std::string nested;
    for (int i = 0; i < 1000; ++i) nested += "${NONE:-";
    EXPECT_EQ(expand_with(nested + "x" + std::string(1000, '}')).error().code, ErrorCode::limit);
}

TEST(Expand, EscapedTextExpandsToItself) {
    for (const char* text : {"", "${A}", "\\${A}", "\\\\${", "$${A}", "a$b{c}"}) {
        const auto expanded = expand_with(escape_expansions(text));
        ASSERT_TRUE(expanded) << text;
        EXPECT_EQ(*expanded, text);
    }
}

}  // namespace
}  // namespace plimsoll::config
