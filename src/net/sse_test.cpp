#include "net/sse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace plimsoll::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Lines = std::vector<std::pair<std::string, std::string>>;

Lines parse(const std::vector<std::string>& pieces) {
    Lines lines;
    SseParser parser([&](std::string_view field, std::string_view value) { lines.emplace_back(std::string(field), std::string(value)); });
    for (const auto& piece : pieces) EXPECT_TRUE(parser.feed(piece));
    parser.finish();
    return lines;
}

TEST(Sse, FieldsAndBlankLines) {
    EXPECT_THAT(parse({"event: ping\ndata: {\"a\":1}\n\ndata:x\n\n"}),
                ElementsAre(Pair("event", "ping"), Pair("data", "{\"a\":1}"), Pair("", ""), Pair("data", "x"), Pair("", "")));
}

TEST(Sse, OnlyOneSpaceIsRemoved) { EXPECT_THAT(parse({"data:  two \n"}), ElementsAre(Pair("data", " two "))); }

TEST(Sse, CommentsAreDroppedAndABareNameHasNoValue) { EXPECT_THAT(parse({": hello\n:\ndata\n"}), ElementsAre(Pair("data", ""))); }

TEST(Sse, ValueKeepsFurtherColons) { EXPECT_THAT(parse({"data: http://x:1\n"}), ElementsAre(Pair("data", "http://x:1"))); }

TEST(Sse, BareJsonLineIsReportedWhole) {
    EXPECT_THAT(parse({"{\"code\": 500, \"message\": \"a: b\"}\n"}), ElementsAre(Pair("{", "{\"code\": 500, \"message\": \"a: b\"}")));
}

TEST(Sse, EveryLineEnding) {
    const auto expected = ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("", ""), Pair("c", "3"));
    for (const char* text : {"a:1\nb:2\n\nc:3\n", "a:1\rb:2\r\rc:3\r", "a:1\r\nb:2\r\n\r\nc:3\r\n", "a:1\rb:2\n\r\nc:3"})
        EXPECT_THAT(parse({text}), expected) << text;
}

TEST(Sse, CarriageReturnEndsTheLineBeforeTheNextPieceComes) {
    Lines lines;
    SseParser parser([&](std::string_view field, std::string_view value) { lines.emplace_back(std::string(field), std::string(value)); });
    ASSERT_TRUE(parser.feed("a:1\r"));
    EXPECT_THAT(lines, ElementsAre(Pair("a", "1")));
    ASSERT_TRUE(parser.feed(""));
    ASSERT_TRUE(parser.feed("\n"));
    EXPECT_EQ(lines.size(), 1u);
    ASSERT_TRUE(parser.feed("\n"));
    EXPECT_THAT(lines.back(), Pair("", ""));
}

TEST(Sse, ByteOrderMarkCountsAtTheStartOnly) {
    const std::string mark = "\xEF\xBB\xBF";
    const std::string first = mark + "a:1\n";
    EXPECT_THAT(parse({first.substr(0, 2), first.substr(2)}), ElementsAre(Pair("a", "1")));
    EXPECT_THAT(parse({"a:1\n" + mark + "b:2\n"}), ElementsAre(Pair("a", "1"), Pair(mark + "b", "2")));
}

TEST(Sse, LastLineWithoutNewlineCounts) {
    EXPECT_THAT(parse({"data: x"}), ElementsAre(Pair("data", "x")));
    EXPECT_THAT(parse({""}), IsEmpty());
    EXPECT_THAT(parse({}), IsEmpty());
}

TEST(Sse, AnySplitGivesTheSameLines) {
    Random random(7);
    constexpr std::string_view kAlphabet = "\r\n\r\n: a{d";
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (auto left = random() % 24; left > 0; --left) text += kAlphabet[random() % kAlphabet.size()];
        const Lines whole = parse({text});
        std::vector<std::string> pieces;
        for (std::string_view rest = text; !rest.empty();) {
            const std::string_view piece = rest.substr(0, random() % 4);
            pieces.emplace_back(piece);
            rest.remove_prefix(piece.size());
        }
        ASSERT_EQ(parse(pieces), whole) << testing::PrintToString(text);
    }
}

TEST(Sse, EndlessLineIsRefusedForGood) {
    SseParser parser([](std::string_view, std::string_view) { FAIL() << "there is no line"; });
    const std::string piece(1 << 20, 'x');
    for (int i = 0; i < 16; ++i) ASSERT_TRUE(parser.feed(piece));
    EXPECT_EQ(parser.feed("x").error().code, ErrorCode::limit);
    EXPECT_EQ(parser.feed("\n").error().code, ErrorCode::limit);
    parser.finish();
}

TEST(Sse, RecordReadsBack) {
    EXPECT_EQ(sse_record("data", "x"), "data: x\n\n");
    EXPECT_THAT(parse({sse_record("data", "a\nb\r\nc\rd"), sse_record("data", "")}),
                ElementsAre(Pair("data", "a"), Pair("data", "b"), Pair("data", "c"), Pair("data", "d"), Pair("", ""), Pair("data", ""),
                            Pair("", "")));
}

}  // namespace
}  // namespace plimsoll::net
