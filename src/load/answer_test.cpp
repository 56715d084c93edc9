// Reading answers, making requests, describing targets.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "load/http_target.h"

namespace plimsoll::load {
namespace {

using testing::HasSubstr;

Answer read(std::unique_ptr<AnswerReader> (*make)(Answer&), std::string_view bytes, std::size_t piece = 5) {
    Answer answer;
    answer.start = Clock::now();
    answer.keep_tokens = answer.keep_text = true;
    const auto reader = make(answer);
    for (bool more = true; more && !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), piece)))
        more = reader->feed(bytes.substr(0, piece), Clock::now());
    reader->finish();
    return answer;
}

std::unique_ptr<AnswerReader> stream(Answer& answer) { return make_openai_reader(true, answer); }
std::unique_ptr<AnswerReader> whole(Answer& answer) { return make_openai_reader(false, answer); }
std::unique_ptr<AnswerReader> nat(Answer& answer) { return make_rule_reader(nat_rules(), answer); }

TEST(OpenAiAnswer, StreamOfTokens) {
    const auto answer = read(stream,
                             "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
                             "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n: comment\n\n"
                             "data: {\"choices\":[{\"delta\":{\"content\":\"yes\"}}]}\n\n"
                             "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                             "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n");
    EXPECT_FALSE(answer.error) << answer.error->message;
    EXPECT_EQ(answer.pieces, 2u);
    EXPECT_EQ(answer.text, "hmyes");
    EXPECT_EQ(answer.token_us.size(), 2u);
    EXPECT_TRUE(answer.first);
    EXPECT_EQ(answer.prompt_tokens, 7);
    EXPECT_EQ(answer.completion_tokens, 2);
}

// Chunks that look like the one before are not parsed; whatever differs in more than plain text must be.
TEST(OpenAiAnswer, ChunksOfOneShape) {
    const auto chunk = [](std::string_view id, std::string_view delta, std::string_view rest = "") {
        return fmt::format("data: {{\"id\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{{}}}}}]{}}}\n\n", id, delta, rest);
    };
    const std::string bytes = chunk("a", R"("role":"assistant","content":"one")") + chunk("a", R"("content":"content")") +
                              chunk("a", R"("content":" two")") + chunk("a", R"("content":"\u0041\"\n")") +
                              chunk("a", R"("content":"\\")") + chunk("a", R"("content":"é")") + chunk("a", R"("content":"")") +
                              chunk("b", R"("content":"id")") + chunk("b", R"("content":"x")", R"(,"usage":{"prompt_tokens":4})") +
                              chunk("b", R"("content":"y","reasoning_content":"z")") + chunk("b", R"("reasoning_content":"r")") +
                              chunk("b", R"("content":"s")") + "data: [DONE]\n\n";
    const auto answer = read(stream, bytes);
    EXPECT_FALSE(answer.error) << answer.error->message;
    EXPECT_EQ(answer.text, "onecontent twoA\"\n\\éidxyzrs");
    EXPECT_EQ(answer.pieces, 12u);
    EXPECT_EQ(answer.prompt_tokens, 4);
    const std::string broken = chunk("a", R"("content":"one")") + chunk("a", "\"content\":\"two\x01\"") + "data: [DONE]\n\n";
    EXPECT_TRUE(read(stream, broken).error);
}

TEST(OpenAiAnswer, Completions) {
    EXPECT_EQ(read(stream, "data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"length\"}]}\n\n").text, "a");
    EXPECT_EQ(read(whole, R"({"choices":[{"text":"abc"}],"usage":{"completion_tokens":3}})").text, "abc");
    EXPECT_EQ(read(whole, R"({"choices":[{"message":{"content":"abc"}}]})").text, "abc");
}

TEST(OpenAiAnswer, BrokenStreams) {
    for (const char* bytes :
         {"", "<!DOCTYPE html><html></html>\n", "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
          "data: {\"choices\":[{\"delta\":{\"content\":\n\n", "data: {\"error\":{\"message\":\"out of memory\"}}\n\ndata: [DONE]\n\n",
          "data: 5\n\n", "\xff\xfe\x00garbage"}) {
        const auto answer = read(stream, bytes);
        ASSERT_TRUE(answer.error) << bytes;
        EXPECT_EQ(answer.error->code, ErrorCode::bad_response) << bytes;
    }
    for (const char* bytes : {"", "{", "[]", "{}", R"({"choices":[]})", R"({"error":"no"})"})
        EXPECT_TRUE(read(whole, bytes).error) << bytes;
}

TEST(NatAnswer, ValuesStepsAndFailures) {
    const auto good = read(nat,
                           "intermediate_data: {\"id\":\"1\",\"payload\":\"{}\"}\n\ndata: {\"value\":\"\"}\n\ndata: {\"value\":\"a\"}\n\n"
                           "data: {\"value\":{\"output\":\"b\"}}\n\n");
    EXPECT_FALSE(good.error);
    EXPECT_EQ(good.pieces, 2u);
    const auto failed = read(nat, "data: {\"value\":\"a\"}\n\n{\"code\":500,\"message\":\"tool broke\"}");
    ASSERT_TRUE(failed.error);
    EXPECT_THAT(failed.error->message, HasSubstr("tool broke"));
    EXPECT_TRUE(read(nat, "").error);
    EXPECT_TRUE(read(nat, "intermediate_data: {\"id\":\"1\"}\n\n").error);
}

constexpr const char* kJobTarget = R"(
path: /jobs/stream
headers:
  Authorization: "Bearer ${env:TOKEN}"
body:
  topic: "about ${input}"
  session: "${session}"
answer:
  token: [{event: llm.chunk, path: data.text}]
  end: [{event: job.status, path: status, equals: SUCCESS}]
  error: [{event: job.error, path: message}, {field: "{", path: message}]
)";

const char* test_env(const std::string& name) { return name == "TOKEN" ? "abc" : nullptr; }

TEST(DescribedTarget, ReadsRequestAndRules) {
    const auto spec = parse_target(kJobTarget, "job.yml", "http://localhost:9/api", test_env);
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(spec->url, "http://localhost:9/api/jobs/stream");
    EXPECT_EQ(spec->headers.front().second, "Bearer abc");
    CallInput input{.messages = {{"user", "a \"quoted\"\nline"}}, .session = 7};
    const auto body = parse_json(make_body(*spec, input)).value();
    EXPECT_EQ(get_string(body, "topic"), "about a \"quoted\"\nline");
    EXPECT_EQ(get_string(body, "session"), "7");

    const auto answer_to = [&](std::string_view bytes) {
        Answer answer;
        answer.start = Clock::now();
        const auto reader = make_rule_reader(spec->rules, answer);
        reader->feed(bytes, Clock::now());
        reader->finish();
        return answer;
    };
    const std::string chunk = "event: llm.chunk\ndata: {\"data\":\ndata: {\"text\":\"x\"}}\n\n";
    const std::string done = "event: job.status\ndata: {\"status\":\"SUCCESS\"}\n\n";
    EXPECT_FALSE(answer_to(chunk + chunk + done).error);
    EXPECT_EQ(answer_to(chunk + chunk + done).pieces, 2u);
    EXPECT_TRUE(answer_to(chunk).error);  // no end
    EXPECT_TRUE(answer_to(done).error);   // no token
    EXPECT_TRUE(answer_to(chunk + "event: job.error\ndata: {\"message\":\"no\"}\n\n" + done).error);
    EXPECT_TRUE(answer_to("event: other\ndata: {\"data\":{\"text\":\"x\"}}\n\n" + done).error);  // another event's text
}

TEST(DescribedTarget, EveryProblemHasItsPlace) {
    const auto spec =
        parse_target("method: POST\nanswers: {}\nheaders: [a]\nanswer:\n  token: {path: x}\n  sse: maybe\nbody: \"${env:NONE}\"\n", "t.yml",
                     "", test_env);
    ASSERT_FALSE(spec);
    EXPECT_EQ(spec.error().code, ErrorCode::config);
    for (const char* place : {"t.yml:2:", "t.yml:3:", "t.yml:5:", "t.yml:6:", "t.yml:7:"})
        EXPECT_THAT(spec.error().message, HasSubstr(place));
    EXPECT_FALSE(parse_target("- a\n", "t.yml", "http://h", test_env));
    EXPECT_FALSE(parse_target("a: [", "t.yml", "http://h", test_env));
    EXPECT_FALSE(parse_target("", "t.yml", "http://h", test_env));
}

TEST(DescribedTarget, TheExampleReads) {
    const auto text = load_file(PLIMSOLL_SOURCE_DIR "/examples/load/research_stream.yml").value();
    const auto spec = parse_target(text, "research_stream.yml", "http://localhost:3838", test_env);
    ASSERT_TRUE(spec) << spec.error().message;
    EXPECT_EQ(spec->url, "http://localhost:3838/generate_query/stream");
}

TEST(Requests, OpenAiBodies) {
    auto spec = make_openai_spec("http://localhost:1/v1/", true);
    EXPECT_EQ(spec.url, "http://localhost:1/v1/chat/completions");
    spec.model = "m\"x";
    CallInput input{.messages = {{"user", "a"}, {"assistant", "b\n"}, {"user", "\xE2\x82\xAC"}}, .max_tokens = 5};
    auto body = parse_json(make_body(spec, input)).value();
    EXPECT_EQ(get_string(body, "model"), "m\"x");
    EXPECT_EQ(body.at("messages").as_array().size(), 3u);
    EXPECT_EQ(get_string(body.at("messages").as_array()[1], "content"), "b\n");
    EXPECT_EQ(get_int(body, "max_tokens"), 5);
    EXPECT_TRUE(body.at("stream").as_bool());
    spec.kind = HttpKind::completions;
    spec.stream = false;
    body = parse_json(make_body(spec, input)).value();
    EXPECT_FALSE(find(body, "stream"));
    EXPECT_TRUE(get_string(body, "prompt"));
    EXPECT_EQ(make_body(make_nat_spec("http://h"), CallInput{.messages = {{"user", "a\"b"}}}), R"({"input_message":"a\"b"})");
}

TEST(Requests, OnlyLoopbackIsHarmless) {
    for (const char* url : {"http://localhost:8000/v1", "http://127.0.0.1/", "http://127.9.9.9:1/x", "https://[::1]:8443/v1"})
        EXPECT_TRUE(is_loopback(url).value()) << url;
    for (const char* url : {"http://10.0.0.1/v1", "http://localhost.example.org/", "https://example.org/v1"})
        EXPECT_FALSE(is_loopback(url).value()) << url;
    for (const char* url :
         {"", "localhost:8000", "ftp://localhost/", "http://", "http:///x", "http://bad host/", "http://user:secret@localhost/"})
        EXPECT_EQ(is_loopback(url).error().code, ErrorCode::invalid_argument) << url;
}

TEST(Requests, HeadersCannotSmuggle) {
    auto spec = make_openai_spec("http://127.0.0.1:1/v1", true);
    spec.headers = {{"X", "a\r\nY: b"}};
    EXPECT_EQ(make_http_target(spec).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace plimsoll::load
