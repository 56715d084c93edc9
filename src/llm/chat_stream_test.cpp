#include "llm/chat_stream.h"

#include <gtest/gtest.h>

namespace plimsoll::llm {
namespace {

std::string event(const json::value& value) { return "data: " + to_compact_json(value) + "\n\n"; }

std::string delta(const std::string& content) {
    return event({{"choices", json::array{{{"index", 0}, {"delta", {{"content", content}}}}}}});
}

std::string finish_reason(const std::string& reason) {
    return event({{"choices", json::array{{{"index", 0}, {"delta", json::object()}, {"finish_reason", reason}}}}});
}

const std::string kDone = "data: [DONE]\n\n";

struct Decoded {
    Result<ChatResult> result;
    std::vector<std::string> deltas;
    std::string partial;
};

Decoded decode(const std::vector<std::string>& pieces) {
    Decoded out{fail(ErrorCode::internal, ""), {}, {}};
    ChatStream stream([&](std::string_view text) { out.deltas.emplace_back(text); }, {});
    for (const auto& piece : pieces)
        if (!stream.feed(piece)) break;
    out.result = stream.finish();
    out.partial = stream.partial_answer();
    return out;
}

ErrorCode code_of(const Decoded& decoded) {
    EXPECT_FALSE(decoded.result.has_value());
    return decoded.result ? ErrorCode::internal : decoded.result.error().code;
}

TEST(ChatStream, ReadsAnAnswerWithUsage) {
    const json::value usage = {{"prompt_tokens", 12},
                               {"completion_tokens", 5},
                               {"total_tokens", 17},
                               {"prompt_tokens_details", {{"cached_tokens", 8}}},
                               {"completion_tokens_details", {{"reasoning_tokens", 2}}}};
    const auto out =
        decode({event({{"model", "m-1"}, {"choices", json::array{{{"index", 0}, {"delta", {{"role", "assistant"}, {"content", ""}}}}}}}),
                delta("Hel"), delta("lo"), finish_reason("stop"), event({{"choices", json::array()}, {"usage", usage}}), kDone});
    ASSERT_TRUE(out.result) << out.result.error().message;
    EXPECT_EQ(out.result->content, "Hello");
    EXPECT_EQ(out.result->finish_reason, "stop");
    EXPECT_EQ(out.result->model, "m-1");
    EXPECT_EQ(out.deltas, (std::vector<std::string>{"Hel", "lo"}));
    EXPECT_FALSE(out.result->usage_estimated);
    EXPECT_EQ(out.result->usage.prompt_tokens, 12);
    EXPECT_EQ(out.result->usage.completion_tokens, 5);
    EXPECT_EQ(out.result->usage.cached_tokens, 8);
    EXPECT_EQ(out.result->usage.reasoning_tokens, 2);
    EXPECT_EQ(out.result->usage.total_tokens, 17);
}

TEST(ChatStream, CountsDeltasWithoutUsage) {
    const auto out = decode({delta("a"), delta("b"), delta("c"), finish_reason("length"), kDone});
    ASSERT_TRUE(out.result);
    EXPECT_TRUE(out.result->usage_estimated);
    EXPECT_EQ(out.result->usage.completion_tokens, 3);
    EXPECT_EQ(out.result->finish_reason, "length");
}

TEST(ChatStream, GivesTheSameForEveryCutOfTheBytes) {
    const std::string body = ": hello\n\n" + delta("<think>pl") + delta("an</thi") + delta("nk>\n<b") + finish_reason("stop") + kDone;
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
        const auto out = decode({body.substr(0, cut), body.substr(cut)});
        ASSERT_TRUE(out.result) << cut;
        ASSERT_EQ(out.result->content, "<b");
        ASSERT_EQ(out.result->reasoning, "plan");
        ASSERT_EQ(out.deltas, (std::vector<std::string>{"<think>pl", "an</thi", "nk>\n<b"}));
    }
}

TEST(ChatStream, SplitsReasoningForEveryCutOfTheText) {
    const std::string text = "<think>plan</think>answer";
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
        const auto out = decode({delta(text.substr(0, cut)), delta(text.substr(cut)), kDone});
        ASSERT_TRUE(out.result);
        ASSERT_EQ(out.result->content, "answer");
        ASSERT_EQ(out.result->reasoning, "plan");
    }
}

TEST(ChatStream, TakesReasoningFields) {
    const auto reasoning = [](const char* name, const char* text) {
        return event({{"choices", json::array{{{"delta", {{name, text}, {"content", nullptr}}}}}}});
    };
    const auto out = decode({reasoning("reasoning_content", "a"), reasoning("reasoning", "b"), delta("c"), kDone});
    ASSERT_TRUE(out.result);
    EXPECT_EQ(out.result->reasoning, "ab");
    EXPECT_EQ(out.result->content, "c");
    EXPECT_EQ(out.deltas.size(), 3u);
}

TEST(ChatStream, ReasoningSentUnderBothNamesCountsOnce) {
    const auto out =
        decode({event({{"choices", json::array{{{"delta", {{"reasoning", "a"}, {"reasoning_content", "a"}}}}}}}), delta("c"), kDone});
    ASSERT_TRUE(out.result);
    EXPECT_EQ(out.result->reasoning, "a");
}

TEST(ChatStream, ReadsTheFirstChoiceOnly) {
    const auto out = decode({event({{"choices", json::array{{{"index", 1}, {"delta", {{"content", "other"}}}}}}}), delta("mine"), kDone});
    ASSERT_TRUE(out.result);
    EXPECT_EQ(out.result->content, "mine");
}

TEST(ChatStream, EndsWithAFinishReasonAndNoDone) {
    const auto out = decode({delta("all"), finish_reason("stop")});
    ASSERT_TRUE(out.result);
    EXPECT_EQ(out.result->content, "all");
}

TEST(ChatStream, LastLineNeedsNoNewline) {
    const auto out = decode({delta("all"), "data: [DONE]"});
    ASSERT_TRUE(out.result);
}

TEST(ChatStream, IgnoresWhatFollowsDone) {
    const auto out = decode({delta("all"), kDone, "data: {garbage\n\n"});
    ASSERT_TRUE(out.result);
    EXPECT_EQ(out.result->content, "all");
}

TEST(ChatStream, CutStreamIsABadResponse) {
    const auto out = decode({delta("hal"), delta("f")});
    EXPECT_EQ(code_of(out), ErrorCode::bad_response);
    EXPECT_EQ(out.partial, "half");
}

TEST(ChatStream, NothingAtAllIsABadResponse) { EXPECT_EQ(code_of(decode({})), ErrorCode::bad_response); }

TEST(ChatStream, DoneWithoutAnyChoiceIsABadResponse) { EXPECT_EQ(code_of(decode({kDone})), ErrorCode::bad_response); }

TEST(ChatStream, MalformedLineIsABadResponse) {
    for (const std::string line : {"{\"choices\":", "nonsense", "[1]", "{\"choices\":[{\"delta\":{\"content\":5}}]}", "\xff\xfe"})
        EXPECT_EQ(code_of(decode({"data: " + line + "\n\n", delta("more"), kDone})), ErrorCode::bad_response) << line;
}

TEST(ChatStream, QuotesTheBeginningOfWhatIsNoEventStream) {
    const auto out = decode({"<html><body>Gateway\nlogin", std::string(5000, 'x')});
    EXPECT_EQ(code_of(out), ErrorCode::bad_response);
    EXPECT_NE(out.result.error().message.find("<html><body>Gateway login"), std::string::npos);
    EXPECT_LT(out.result.error().message.size(), kMaxQuotedBytes + 100);
}

TEST(ChatStream, BinaryJunkIsQuotedAsValidText) {
    const auto out = decode({std::string("\x00\xff\xfe\x80 junk\n", 10)});
    EXPECT_EQ(code_of(out), ErrorCode::bad_response);
    EXPECT_TRUE(parse_json(to_compact_json(json::value(out.result.error().message))));
}

TEST(ChatStream, ErrorLineIsTheServersError) {
    const auto out = decode({delta("a"), event({{"error", {{"message", "out of memory"}, {"code", 503}}}}), delta("b"), kDone});
    EXPECT_EQ(code_of(out), ErrorCode::http_status);
    EXPECT_EQ(out.result.error().http_status, 503);
    EXPECT_NE(out.result.error().message.find("out of memory"), std::string::npos);
    EXPECT_EQ(out.deltas.size(), 1u);
}

TEST(ChatStream, ErrorLineWithoutAStatusIsABadResponse) {
    EXPECT_EQ(code_of(decode({event({{"error", "broken"}})})), ErrorCode::bad_response);
    EXPECT_EQ(code_of(decode({event({{"error", {{"message", "broken"}, {"code", "server_error"}}}})})), ErrorCode::bad_response);
}

TEST(ChatStream, ErrorFieldAndBareErrorLineAreErrors) {
    EXPECT_EQ(code_of(decode({"error: {\"code\":500,\"message\":\"slot\"}\n\n"})), ErrorCode::http_status);
    EXPECT_EQ(code_of(decode({"{\"error\":{\"code\":400,\"message\":\"slot\"}}\n"})), ErrorCode::http_status);
}

TEST(ChatStream, AWholeAnswerToAStreamRequestIsTaken) {
    const auto out = decode({R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})"});
    ASSERT_TRUE(out.result) << out.result.error().message;
    EXPECT_EQ(out.result->content, "whole");
}

TEST(ChatStream, EndlessLineHitsTheLimit) {
    ChatStream stream({}, {});
    const std::string megabyte(1 << 20, 'x');
    Result<void> fed = stream.feed("data: ");
    for (std::size_t sent = 0; fed && sent <= net::SseParser::kMaxLineBytes; sent += megabyte.size()) fed = stream.feed(megabyte);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, ErrorCode::limit);
    EXPECT_EQ(stream.finish().error().code, ErrorCode::limit);
}

TEST(WholeAnswer, ReadsContentReasoningAndUsage) {
    const auto result = ChatStream::parse_whole(
        R"({"model":"m","choices":[{"index":0,"message":{"content":"<think>p</think>a"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":3,"completion_tokens":4}})",
        {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->content, "a");
    EXPECT_EQ(result->reasoning, "p");
    EXPECT_EQ(result->usage.total_tokens, 7);
    EXPECT_FALSE(result->usage_estimated);
}

TEST(WholeAnswer, NullContentIsAnEmptyAnswer) {
    const auto result = ChatStream::parse_whole(R"({"choices":[{"message":{"content":null},"finish_reason":"stop"}]})", {});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->content, "");
}

TEST(WholeAnswer, EstimatesTokensByCharacters) {
    const auto result = ChatStream::parse_whole(R"({"choices":[{"message":{"content":"123456789"}}]})", {});
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->usage_estimated);
    EXPECT_EQ(result->usage.completion_tokens, 3);
}

TEST(WholeAnswer, RefusesWhatIsNoAnswer) {
    for (const auto* body : {"", "<html>", "[]", "{}", R"({"choices":[]})", R"({"choices":[{}]})", R"({"choices":[{"message":null}]})",
                             R"({"choices":[{"message":{"content":["a"]}}]})", "{\"choices\":[{\"message\":{\"content\":\"cut"}) {
        const auto result = ChatStream::parse_whole(body, {});
        ASSERT_FALSE(result) << body;
        EXPECT_EQ(result.error().code, ErrorCode::bad_response) << body;
    }
}

}  // namespace
}  // namespace plimsoll::llm
