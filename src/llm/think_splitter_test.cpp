#include "llm/think_splitter.h"

#include <gtest/gtest.h>

namespace plimsoll::llm {
namespace {

struct Case {
    std::string text;
    std::string answer;
    std::string reasoning;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> kCases = {
        {"", "", ""},
        {"plain", "plain", ""},
        {"<think>plan</think>answer", "answer", "plan"},
        {"<think>plan</think>\n\n answer\n", "answer\n", "plan"},
        {"<think></think>answer", "answer", ""},
        {"<think>never closed", "", "never closed"},
        {"never opened</think>answer", "answer", "never opened"},
        {"</think>answer", "answer", ""},
        {"a < b <th <<think>x</think>y", "a < b <th <y", "x"},
        {"<think>a < b </th <think> c</think>d", "d", "a < b </th <think> c"},
        {"<think>a</think>b<think>c</think>d", "bd", "ac"},
        {"<think>a</think>say </think> twice", "say </think> twice", "a"},
        {"ends in <thin", "ends in <thin", ""},
        {"<think>ends in </think", "", "ends in </think"},
        {"<THINK>case</THINK>", "<THINK>case</THINK>", ""},
        {"ä<think>ö</think>ü", "äü", "ö"},
    };
    return kCases;
}

struct Seen {
    std::string answer, reasoning;
    OnPiece receiver() {
        return [this](std::string_view piece, bool is_reasoning) {
            EXPECT_FALSE(piece.empty());
            (is_reasoning ? reasoning : answer) += piece;
        };
    }
};

TEST(ThinkSplitter, SplitsTheSameWhereverThePiecesAreCut) {
    for (const auto& [text, answer, reasoning] : cases()) {
        for (std::size_t first = 0; first <= text.size(); ++first) {
            for (std::size_t second = first; second <= text.size(); ++second) {
                ThinkSplitter splitter({});
                splitter.feed(std::string_view(text).substr(0, first));
                splitter.feed(std::string_view(text).substr(first, second - first));
                splitter.feed(std::string_view(text).substr(second));
                splitter.finish();
                ASSERT_EQ(splitter.answer(), answer) << text << " cut at " << first << " and " << second;
                ASSERT_EQ(splitter.reasoning(), reasoning) << text << " cut at " << first << " and " << second;
            }
        }
    }
}

TEST(ThinkSplitter, SplitsByteByByte) {
    for (const auto& [text, answer, reasoning] : cases()) {
        ThinkSplitter splitter({});
        for (const char c : text) splitter.feed({&c, 1});
        splitter.finish();
        EXPECT_EQ(splitter.answer(), answer) << text;
        EXPECT_EQ(splitter.reasoning(), reasoning) << text;
    }
}

TEST(ThinkSplitter, ReportsPiecesAsTheyCome) {
    Seen seen;
    ThinkSplitter splitter(seen.receiver());
    splitter.feed("<think>pl");
    EXPECT_EQ(seen.reasoning, "pl");
    splitter.feed("an</thi");
    EXPECT_EQ(seen.reasoning, "plan");
    splitter.feed("nk>ans");
    EXPECT_EQ(seen.answer, "ans");
    splitter.feed("wer");
    EXPECT_EQ(seen.answer, "answer");
    EXPECT_EQ(seen.reasoning, "plan");
}

TEST(ThinkSplitter, HoldsBackLessThanATag) {
    Seen seen;
    ThinkSplitter splitter(seen.receiver());
    std::string fed;
    for (const auto& part : {"12345</think", "67890<thin", "abc</thin", "</", "<"}) {
        splitter.feed(part);
        fed += part;
        EXPECT_GE(seen.answer.size() + 7, fed.size());
    }
    splitter.finish();
    EXPECT_EQ(seen.answer, fed);
}

TEST(ThinkSplitter, TakesReasoningTheServerMarked) {
    Seen seen;
    ThinkSplitter splitter(seen.receiver());
    splitter.feed_reasoning("first ");
    splitter.feed_reasoning("second");
    splitter.feed("answer");
    splitter.finish();
    EXPECT_EQ(splitter.reasoning(), "first second");
    EXPECT_EQ(splitter.answer(), "answer");
    EXPECT_EQ(seen.reasoning, "first second");
}

TEST(ThinkSplitter, TakesAMegabyteOfAngleBrackets) {
    ThinkSplitter splitter({});
    const std::string brackets(1 << 20, '<');
    splitter.feed(brackets);
    splitter.feed("think>x");
    splitter.finish();
    EXPECT_EQ(splitter.answer().size(), brackets.size() - 1);
    EXPECT_EQ(splitter.reasoning(), "x");
}

TEST(ThinkSplitter, TakesManyTagsInOnePiece) {
    std::string text;
    for (int i = 0; i < 200'000; ++i) text += "<think>a</think>b";
    ThinkSplitter splitter({});
    splitter.feed(text);
    splitter.finish();
    EXPECT_EQ(splitter.answer().size(), 200'000u);
    EXPECT_EQ(splitter.reasoning().size(), 200'000u);
}

}  // namespace
}  // namespace plimsoll::llm
