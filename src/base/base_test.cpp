#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/json_stream.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stats.h"

namespace plimsoll {
namespace {

TEST(Json, PrettyOutputIsPythons) {
    const json::value value = {{"a", 1}, {"b", {1.0, 0.1, 1795388151.351151, 1e-7, nullptr, true}}, {"c", json::object{}}, {"d", "é😀\n"}};
    EXPECT_EQ(to_pretty_json(value, Escape::ascii),
              "{\n  \"a\": 1,\n  \"b\": [\n    1.0,\n    0.1,\n    1795388151.351151,\n    1e-07,\n    null,\n    true\n  ],\n"
              "  \"c\": {},\n  \"d\": \"\\u00e9\\ud83d\\ude00\\n\"\n}");
}

// Every kind of value, at every depth, empty ones too.
void stream(JsonStream& json, const json::value& value) {
    if (const auto* array = value.if_array()) {
        json.begin_array();
        for (const auto& element : *array) stream(json, element);
        json.end();
    } else if (const auto* object = value.if_object()) {
        json.begin_object();
        for (const auto& [key, member] : *object) {
            json.key(key);
            stream(json, member);
        }
        json.end();
    } else {
        json.value(value);
    }
}

TEST(Json, AStreamIsTheTextOfTheTree) {
    for (const char* text :
         {"3", "[]", "{}", R"([1,[],{},[{"a\"é":[2.5,{"b":{}}],"c":null}]])", R"({"a":{"b":[1,2,{"c":"x"}]},"d":true})"}) {
        const json::value tree = parse_json(text).value();
        for (const Escape escape : {Escape::ascii, Escape::utf8}) {
            std::string out;
            JsonStream json([&](std::string_view piece) { out += piece; }, 0, escape);
            stream(json, tree);
            json.flush();
            EXPECT_EQ(out, to_pretty_json(tree, escape));
        }
        std::string inside = "[\n  ";
        JsonStream json([&](std::string_view piece) { inside += piece; }, 1);
        json.value(tree);
        json.flush();
        EXPECT_EQ(inside + "\n]", to_pretty_json(json::array({tree})));
    }
}

TEST(Json, ErrorsNameLineAndColumn) {
    const auto parsed = parse_json("{\"a\": 1,\n \"b\": x}");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, ErrorCode::parse);
    EXPECT_THAT(parsed.error().message, testing::HasSubstr("line 2"));
}

TEST(Json, NumbersAreRoundedCorrectly) {
    EXPECT_EQ(parse_json("1795388133.8386514")->get_double(), 1795388133.8386514);
    EXPECT_EQ(parse_json("[0.1, 1e-7, 123456789012345678901234567890]")->at(2).get_double(), 123456789012345678901234567890.0);
    EXPECT_TRUE(parse_json("9223372036854775807")->is_int64());
    EXPECT_TRUE(parse_json("18446744073709551615")->is_uint64());
}

TEST(Json, RefusesWhatIsNotOneDocument) {
    for (const char* text : {"", "{", "1 2", "[1,]", "nul"}) EXPECT_FALSE(parse_json(text)) << text;
    for (const char* text : {"1", " {} \n", "\"x\"", "null"}) EXPECT_TRUE(parse_json(text)) << text;
    EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
}

TEST(Stats, PercentileInterpolatesLinearly) {
    EXPECT_DOUBLE_EQ(percentile({5, 1, 4, 2, 3}, 90), 4.6);
    EXPECT_DOUBLE_EQ(percentile({5, 1, 4, 2, 3}, 99), 4.96);
    EXPECT_DOUBLE_EQ(percentile({7}, 95), 7);
    EXPECT_DOUBLE_EQ(percentile({}, 95), 0);
    EXPECT_NEAR(population_sd(std::vector<double>{1, 2, 3, 4, 5}), 1.4142135624, 1e-9);
}

TEST(Random, SameSeedSameSequence) {
    Random a(7), b(7), c(8);
    EXPECT_EQ(a.uuid(), b.uuid());
    EXPECT_NE(a.uuid(), c.uuid());
    const std::string uuid = a.uuid();
    EXPECT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_THAT(std::string(1, uuid[19]), testing::MatchesRegex("[89ab]"));
}

TEST(Deadline, NeverPassesUnlessSet) {
    EXPECT_FALSE(Deadline().passed());
    EXPECT_TRUE(Deadline::after(std::chrono::seconds(-1)).passed());
    EXPECT_EQ(Deadline::after(std::chrono::seconds(-1)).left(), Deadline::Clock::duration::zero());
    EXPECT_FALSE(Deadline::after(Deadline::Clock::duration::max()).is_set());
    EXPECT_TRUE(Deadline().earlier(Deadline::after(std::chrono::hours(1))).is_set());
}

TEST(Files, SaveIsWholeAndMakesFolders) {
    TemporaryFolder folder;
    const auto path = folder.path() / "a" / "b.txt";
    ASSERT_TRUE(save_file(path, "one"));
    ASSERT_TRUE(save_file(path, "two"));
    EXPECT_EQ(*load_file(path), "two");
    EXPECT_EQ(load_file(folder.path() / "none").error().code, ErrorCode::not_found);
    EXPECT_EQ(load_file(path, 2).error().code, ErrorCode::limit);
}

TEST(Files, AWriterLeavesAWholeFileOrNone) {
    TemporaryFolder folder;
    const auto path = folder.path() / "a" / "b.txt";
    std::string text;
    {
        auto file = FileWriter::create(path).value();
        while (text.size() < 2'000'000) {
            ASSERT_TRUE(file.append(std::string(777, static_cast<char>('a' + text.size() % 26))));
            text += std::string(777, static_cast<char>('a' + text.size() % 26));
        }
        for (const std::size_t kept : {text.size() - 10, std::size_t{1'000'000}, std::size_t{3}}) {
            ASSERT_TRUE(file.append("more"));
            ASSERT_TRUE(file.cut(kept));
            text.resize(kept);
            EXPECT_EQ(file.size(), kept);
        }
        ASSERT_TRUE(file.append("end"));
        EXPECT_FALSE(std::filesystem::exists(path));
        ASSERT_TRUE(file.commit());
        EXPECT_EQ(*load_file(path), text + "end");
        auto other = FileWriter::create(path).value();
        ASSERT_TRUE(other.append("never committed"));
    }
    EXPECT_EQ(*load_file(path), text + "end");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
}

TEST(Files, FullDiskIsNoSpace) {
    auto full = AppendFile::open("/dev/full");
    ASSERT_TRUE(full);
    EXPECT_EQ(full->append("x").error().code, ErrorCode::no_space);
}

TEST(Log, KnowsSecretNames) {
    for (const char* name : {"Authorization", "X-API-Key", "nat-session-cookie", "api_key", "access_token"})
        EXPECT_TRUE(is_secret_name(name)) << name;
    for (const char* name : {"max_tokens", "model", "completion_tokens"}) EXPECT_FALSE(is_secret_name(name)) << name;
}

TEST(Log, MasksWhatAUrlSaysBeforeItsHost) {
    EXPECT_EQ(mask_url_password("http://user:p@ss@host:8000/v1?a=b@c"), "http://***@host:8000/v1?a=b@c");
    EXPECT_EQ(mask_url_password("https://token@host"), "https://***@host");
    for (const char* text : {"http://host/a@b", "http://host?x=a@b", "a@b", "user:p@host", "", "://", "no url"})
        EXPECT_EQ(mask_url_password(text), text);
}

TEST(Clock, FormatsIso8601) {
    EXPECT_EQ(to_iso8601(1795388151.25), "2026-11-22T22:55:51.250000+00:00");
    EXPECT_EQ(to_iso8601(1795388329.0617015), "2026-11-22T22:58:49.061702+00:00");
    EXPECT_EQ(to_iso8601(1795388329.9999999), "2026-11-22T22:58:50.000000+00:00");
}

}  // namespace
}  // namespace plimsoll
