#include "base/json_values.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace plimsoll {
namespace {

struct Seen {
    std::vector<std::string> values;  // compact
    std::size_t damaged = 0;
    bool cut_off = false;
    bool operator==(const Seen&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
        for (const auto& value : seen.values) out << value << ' ';
        return out << "damaged " << seen.damaged << (seen.cut_off ? " cut off" : "");
    }
};

Seen read(JsonValues values) {
    Seen seen;
    while (const auto value = values.next()) {
        if (*value)
            seen.values.push_back(to_compact_json(**value));
        else
            ++seen.damaged;
    }
    seen.cut_off = values.cut_off();
    return seen;
}

Seen read_in_blocks(std::string_view text, std::size_t block) {
    TextWindow window(
        [text](char* out, std::size_t size) mutable {
            const std::size_t got = text.copy(out, size);
            text.remove_prefix(got);
            return got;
        },
        block);
    return read(JsonValues(window));
}

// However the text arrives, it reads the same.
Seen read(std::string_view text) {
    const Seen seen = read(JsonValues(text));
    for (const std::size_t block : {1, 2, 3, 7, 64}) EXPECT_EQ(read_in_blocks(text, block), seen) << block << ": " << text.substr(0, 200);
    return seen;
}

TEST(JsonValues, ElementsOfAnArrayAndLines) {
    EXPECT_EQ(read(""), (Seen{}));
    EXPECT_EQ(read(" \n"), (Seen{}));
    EXPECT_EQ(read("[]"), (Seen{}));
    EXPECT_EQ(read("[1, \"a\" ,{\"b\":[2]}]"), (Seen{{"1", "\"a\"", "{\"b\":[2]}"}}));
    EXPECT_EQ(read("{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}"), (Seen{{"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"}}));
    EXPECT_EQ(read("\xef\xbb\xbf{\n  \"a\": 1\n}\n"), (Seen{{"{\"a\":1}"}}));
    EXPECT_EQ(read("3"), (Seen{{"3"}}));
}

TEST(JsonValues, PythonsConstantsAreNull) {
    EXPECT_EQ(read(R"([{"a": NaN, "b": "NaN"}, {"a": -Infinity, "b": [Infinity, "\"NaN"]}])"),
              (Seen{{R"({"a":null,"b":"NaN"})", R"({"a":null,"b":[null,"\"NaN"]})"}}));
    EXPECT_EQ(read("[{\"a\": NaN"), (Seen{.damaged = 1, .cut_off = true}));
}

TEST(JsonValues, CutAnywhereKeepsWhatIsWhole) {
    const std::string text = "[\n  {\n    \"n\": 0,\n    \"x\": {\"y\": [\"}\"]}\n  },\n  {\n    \"n\": 1\n  }\n]\n";
    for (std::size_t length = 1; length < text.size() - 1; ++length) {
        const Seen seen = read(text.substr(0, length));
        EXPECT_TRUE(seen.cut_off) << length;
        EXPECT_EQ(seen.values.size(), (length > text.find(",\n  {") - 1) + (length > text.rfind('}')) + 0u) << length;
    }
}

TEST(JsonValues, DamageCostsOneValue) {
    // A quote lost, a bracket lost, a comma lost, bytes that are nothing, another bracket: each in the middle one of three.
    for (const char* bad : {R"({"n: 1, "t": "x"})", R"({"n": 1, "t": {"x": 1})", R"({"n": 1 "t": "x"})", "{\"n\": \xff\xfe\x01}",
                            R"({"n": 1]})", R"({"n": 1}})", R"({"n": 1, "t": "x)", "garbage", "{}}}}", R"({"n": 1, "t":)"}) {
        const Seen expected{{R"({"n":0})", R"({"n":2})"}, 1};
        EXPECT_EQ(read(fmt::format("{{\"n\": 0}}\n{}\n{{\"n\": 2}}\n", bad)).values.back(), expected.values.back()) << bad;
        const Seen pretty = read(fmt::format("[\n  {{\n    \"n\": 0\n  }},\n  {},\n  {{\n    \"n\": 2\n  }}\n]", bad));
        EXPECT_EQ(pretty.values.back(), expected.values.back()) << bad;
        EXPECT_GE(pretty.damaged, 1u) << bad;
        EXPECT_FALSE(pretty.cut_off) << bad;
        EXPECT_EQ(read(fmt::format("[{{\"n\":0}},{},{{\"n\":2}}]", bad)).values.back(), expected.values.back()) << bad;
    }
}

TEST(JsonValues, GarbageInFrontIsPassedOver) {
    EXPECT_EQ(read("loading...\n{\"a\":1}\n{\"a\":2}\n"), (Seen{{"{\"a\":1}", "{\"a\":2}"}, 1}));
    EXPECT_EQ(read("no JSON at all"), (Seen{{}, 1, true}));
}

TEST(JsonValues, DeepNestingIsDamage) {
    const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
    EXPECT_EQ(read("{\"a\":" + deep + "}\n{\"a\":1}\n").values, (std::vector<std::string>{"{\"a\":1}"}));
}

}  // namespace
}  // namespace plimsoll
