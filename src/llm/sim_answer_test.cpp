#include "llm/sim_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "llm/sim_request.h"

namespace plimsoll::llm {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

SimRequest request(std::string_view fields, std::string_view message = "Write a report.") {
    json::object body = parse_json(fields)->as_object();
    body["messages"] = {{{"role", "user"}, {"content", json::string_view(message.data(), message.size())}}};
    auto parsed = parse_sim_request(SimRoute::chat, json::serialize(body));
    EXPECT_TRUE(parsed) << parsed.error().message;
    return parsed.value_or(SimRequest{});
}

TEST(SimTokens, CoverTheTextAndKeepCharactersWhole) {
    const std::string text = "Hello,  wonderful world!\n日本語のテキスト é";
    const auto ends = split_sim_tokens(text);
    ASSERT_EQ(ends.back(), text.size());
    EXPECT_EQ(ends[0], 5u);
    EXPECT_EQ(ends[1], 6u);
    for (const auto end : ends)
        if (end < text.size()) EXPECT_NE(static_cast<unsigned char>(text[end]) & 0xc0, 0x80) << end;
    EXPECT_TRUE(split_sim_tokens("").empty());
    EXPECT_EQ(split_sim_tokens("   ").size(), 1u);
    EXPECT_EQ(split_sim_tokens("a b c", 2).back(), 3u);
}

TEST(SimAnswer, AReportHasItsLengthAndCitesTheSources) {
    for (const int tokens : {1, 2, 57, 128, 5000}) {
        const auto answer = make_sim_answer(request("{}"), nullptr, tokens);
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->size(), static_cast<std::size_t>(tokens));
        EXPECT_EQ(answer->finish_reason, "stop");
        EXPECT_GT(answer->prompt_tokens, 4);
    }
    const auto answer = make_sim_answer(request("{}", "Sources: [1] a [2] b [] [x] [2000]"), nullptr, 200);
    EXPECT_THAT(answer->text, testing::AllOf(HasSubstr("[1]"), HasSubstr("[2]"), Not(HasSubstr("[3]")), HasSubstr("\n\n## ")));
}

TEST(SimAnswer, ObeysMaxTokensAndStop) {
    const auto shorter = make_sim_answer(request(R"({"max_tokens":7})"), nullptr, 100);
    EXPECT_EQ(shorter->size(), 7u);
    EXPECT_EQ(shorter->finish_reason, "length");
    const auto newer_name = make_sim_answer(request(R"({"max_completion_tokens":3})"), nullptr, 100);
    EXPECT_EQ(newer_name->size(), 3u);
    const auto enough = make_sim_answer(request(R"({"max_tokens":700})"), nullptr, 100);
    EXPECT_EQ(enough->size(), 100u);
    EXPECT_EQ(enough->finish_reason, "stop");
    const auto exact = make_sim_answer(request(R"({"max_tokens":700,"ignore_eos":true})"), nullptr, 100);
    EXPECT_EQ(exact->size(), 700u);
    EXPECT_EQ(exact->finish_reason, "length");
    const auto stopped = make_sim_answer(request(R"({"stop":["[1]"]})"), nullptr, 100);
    EXPECT_THAT(stopped->text, Not(HasSubstr("[1]")));
    EXPECT_EQ(stopped->finish_reason, "stop");
    const auto endless = make_sim_answer(request(R"({"max_tokens":9000000000000,"ignore_eos":true})"), nullptr, 100);
    EXPECT_EQ(endless->size(), static_cast<std::size_t>(kMaxSimTokens));
}

TEST(SimAnswer, ThinksWhenAsked) {
    const auto plain = make_sim_answer(request("{}"), nullptr, 50);
    EXPECT_THAT(plain->text, Not(HasSubstr("<think>")));
    for (const auto& asked :
         {request("{}", "detailed thinking on. Write."), request(R"({"chat_template_kwargs":{"enable_thinking":true}})")})
        EXPECT_THAT(make_sim_answer(asked, nullptr, 50)->text, testing::AllOf(StartsWith("<think>"), HasSubstr("</think>\n\n# Report")));
}

TEST(SimAnswer, GivesAnInstanceOfTheSchema) {
    const auto planned = make_sim_answer(
        request(R"({"response_format":{"type":"json_schema","json_schema":{"name":"plan","schema":{"type":"object","properties":{
            "queries":{"type":"array","minItems":2,"items":{"type":"string"}}},"required":["queries"]}}}})"),
        nullptr, 10);
    ASSERT_TRUE(planned);
    EXPECT_EQ(parse_json(planned->text)->at("queries").as_array().size(), 2u);
    const auto any = make_sim_answer(request(R"({"response_format":{"type":"json_object"}})"), nullptr, 1);
    EXPECT_TRUE(parse_json(any->text)->is_object());
    const auto bad =
        make_sim_answer(request(R"({"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"spline"}}}})"), nullptr, 1);
    EXPECT_EQ(bad.error().code, ErrorCode::invalid_argument);
}

TEST(SimAnswer, AScriptAnswersFirst) {
    const auto rules = parse_sim_script(R"([{"match":"weather","reply":"It rains.","think":"Clouds."},{"match":"empty","reply":""},
        {"match":"","fault":"500"}])");
    ASSERT_TRUE(rules) << rules.error().message;
    const auto weather = request("{}", "What is the weather?");
    const auto* rule = find_rule(*rules, weather);
    ASSERT_NE(rule, nullptr);
    const auto answer = make_sim_answer(weather, rule, 10);
    EXPECT_EQ(answer->text, "<think>\nClouds.\n</think>\n\nIt rains.");
    const auto empty = request("{}", "empty");
    EXPECT_EQ(make_sim_answer(empty, find_rule(*rules, empty), 10)->size(), 0u);
    EXPECT_EQ(find_rule(*rules, request("{}", "else"))->fault, SimFault::http_500);
    EXPECT_EQ(find_rule({}, weather), nullptr);
}

TEST(SimScript, SaysWhatIsWrong) {
    for (const char* text : {"{}", "[1]", R"([{"match":1}])", R"([{"match":"a","answer":"b"}])", R"([{"fault":"oops"}])"})
        EXPECT_EQ(parse_sim_script(text).error().code, ErrorCode::config) << text;
    EXPECT_EQ(parse_sim_script("[{").error().code, ErrorCode::parse);
    EXPECT_EQ(load_sim_script("/nonexistent/script.json").error().code, ErrorCode::not_found);
    const TemporaryFolder folder;
    ASSERT_TRUE(save_file(folder.path() / "script.json", "[{}]"));
    EXPECT_EQ(load_sim_script(folder.path() / "script.json")->size(), 1u);
}

TEST(SimRequest, ReadsWhatClientsSend) {
    const auto chat = parse_sim_request(SimRoute::chat, R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"tools":[{}],
        "stop":"END","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"},
        {"type":"image_url"}]},{"role":"assistant","content":null}]})");
    ASSERT_TRUE(chat);
    EXPECT_EQ(chat->last_user, "Hi");
    EXPECT_EQ(chat->messages, 3);
    EXPECT_TRUE(chat->stream && chat->include_usage);
    EXPECT_EQ(chat->stop, std::vector<std::string>{"END"});
    EXPECT_EQ(parse_sim_request(SimRoute::completion, R"({"prompt":["once"]})")->last_user, "once");
}

TEST(SimRequest, RefusesWhatIsWrong) {
    for (const char* body :
         {"[]", "{}", R"({"messages":[]})", R"({"messages":["hi"]})", R"({"messages":[{"content":"hi"}]})",
          R"({"messages":[{"role":"user"}],"max_tokens":0})", R"({"messages":[{"role":"user"}],"n":2})",
          R"({"messages":[{"role":"user"}],"stop":7})", R"({"messages":[{"role":"user"}],"response_format":{"type":"xml"}})",
          R"({"messages":[{"role":"user"}],"response_format":{"type":"json_schema"}})"})
        EXPECT_EQ(parse_sim_request(SimRoute::chat, body).error().code, ErrorCode::invalid_argument) << body;
    EXPECT_EQ(parse_sim_request(SimRoute::chat, "").error().code, ErrorCode::parse);
    EXPECT_EQ(parse_sim_request(SimRoute::completion, R"({"prompt":["a","b"]})").error().code, ErrorCode::invalid_argument);
    for (const char* body : {"{}", R"({"input":[]})", R"({"input":[1,2]})", R"({"input":"a","dimensions":0})"})
        EXPECT_EQ(parse_sim_embedding_request(body, 8).error().code, ErrorCode::invalid_argument) << body;
}

}  // namespace
}  // namespace plimsoll::llm
