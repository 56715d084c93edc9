// Calls of several requests: what is filled into them, and both generations of AI-Q's API against a scripted server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "load/http_target.h"
#include "load/runner.h"
#include "net/http_server.h"
#include "net/io_pool.h"

namespace plimsoll::load {
namespace {

using testing::HasSubstr;

const CallInput kInput{.messages = {{"user", "a"}, {"assistant", "b"}, {"user", "say \"hi\"\n"}}, .session = 7};
const Captured kCaptured{{"list", json::array{1, "two"}}, {"id", "x/y z"}};

TEST(RequestTemplate, Bodies) {
    const auto filled = parse_json(fill_body(R"({"q":"${input}","s":"no ${session}","m":"${messages}","l":"${list}","t":"got ${list}",)"
                                             R"("quoted":"\"${id}\"","none":"${none}","open":"${"})",
                                             kInput, kCaptured))
                            .value();
    EXPECT_EQ(get_string(filled, "q"), kInput.messages.back().text);
    EXPECT_EQ(get_string(filled, "s"), "no 7");
    EXPECT_EQ(filled.at("m").as_array().size(), 3u);
    EXPECT_EQ(get_string(filled.at("m").at(1), "role"), "assistant");
    EXPECT_EQ(filled.at("l"), kCaptured.at("list"));
    EXPECT_EQ(get_string(filled, "t"), "got [1,\"two\"]");
    EXPECT_EQ(get_string(filled, "quoted"), "\"x/y z\"");
    EXPECT_EQ(get_string(filled, "none"), "${none}");
    EXPECT_EQ(get_string(filled, "open"), "${");
    EXPECT_EQ(fill_body(R"("${id}"${session}")", kInput, kCaptured), R"("x/y z"7")");  // no JSON, but not made worse
    // What the user asks is no template.
    const CallInput sly{.messages = {{"user", "${session}"}}, .session = 7};
    EXPECT_EQ(fill_body(R"("${input}")", sly, {}), R"("${session}")");
}

TEST(RequestTemplate, HeadersAndUrls) {
    EXPECT_EQ(fill_header("load-${session} ${id}", kInput, kCaptured), "load-7 x/y z");
    EXPECT_EQ(fill_url("http://h/${id}/s?q=${session}", kInput, kCaptured), "http://h/x%2Fy%20z/s?q=7");
    EXPECT_EQ(placeholders("${a}-${b}${"), (std::vector<std::string>{"a", "b"}));
}

struct Request {
    std::string method, path, body;
    net::Headers headers;
};

// Answers each path with the text it is given for it; keeps the requests.
class ScriptedServer {
  public:
    using Script = std::vector<std::pair<std::string, std::string>>;  // path to body; one that begins with '{' is JSON, else events

    explicit ScriptedServer(Script script) : script_(std::move(script)), server_(context_.get_executor(), {}) {
        for (const auto& [pattern, text] : script_)
            for (const char* method : {"POST", "GET"})
                server_.route(method, pattern, [this, &text = text](net::ServerRequest request, net::ServerResponse& response) {
                    return answer(*this, text, std::move(request), response);
                });
        url_ = "http://127.0.0.1:" + std::to_string(server_.listen().value());
        asio::co_spawn(context_, server_.run(), asio::detached);
        thread_ = std::jthread([this] { context_.run(); });
    }
    ~ScriptedServer() {
        server_.stop();
        thread_.join();
    }
    const std::string& url() const { return url_; }
    std::vector<Request> requests;  // read after the run

  private:
    static asio::awaitable<void> answer(ScriptedServer& self, const std::string& text, net::ServerRequest request,
                                        net::ServerResponse& response) {
        self.requests.push_back({request.method, request.path, request.body, request.headers});
        const bool is_json = text.starts_with('{');
        std::ignore = co_await response.send(200, is_json ? "application/json" : "text/event-stream", text, {{"X-Place", "here"}});
    }

    Script script_;
    asio::io_context context_{1};
    net::HttpServer server_;
    std::string url_;
    std::jthread thread_;
};

CallRecord call(const HttpTargetSpec& spec, const std::string& question = "why?") {
    LoadPlan plan;
    plan.max_sessions = 1;
    std::vector<SessionRecord> sessions;
    const auto outcome = run_load(plan, make_conversations({{question}}, {}), make_http_target(spec).value(),
                                  {.on_progress = {}, .on_records = [&](std::vector<SessionRecord> more) { sessions = std::move(more); }});
    EXPECT_TRUE(outcome);
    return sessions.at(0).calls.at(0);
}

const char* no_env(const std::string&) { return nullptr; }

HttpTargetSpec known(const char* kind, const std::string& url) {
    return parse_target(find_known_target(kind).value(), kind, url, no_env).value();
}

std::string event(const char* name, const char* data) { return std::string("id: 1\nevent: ") + name + "\ndata: " + data + "\n\n"; }

const std::string kJobStream =
    event("stream.mode", R"({"mode":"polling"})") + event("llm.start", R"({"id":"a","name":"nemotron"})") +
    event("llm.chunk", R"({"id":"b","data":{"chunk":"The"}})") + event("llm.chunk", R"({"id":"c","data":{"chunk":" answer"}})") +
    event("artifact.update", R"({"data":{"type":"output","content":"x","output_category":"draft"}})") +
    event("artifact.update", R"({"data":{"type":"output","content":"The answer","output_category":"final_report"}})");

TEST(Aiq, AJobIsSubmittedAndFollowed) {
    ScriptedServer server({{"/v1/jobs/async/submit", R"({"job_id":"job-42","status":"submitted","agent_type":"deep_researcher"})"},
                           {"/v1/jobs/async/job/{id}/stream", kJobStream + event("job.status", R"({"status":"success"})")}});
    const auto record = call(known("aiq", server.url()));
    EXPECT_FALSE(record.error) << record.error->message;
    EXPECT_EQ(record.pieces, 3u);
    EXPECT_GE(record.first, record.start);
    ASSERT_EQ(server.requests.size(), 2u);
    EXPECT_EQ(get_string(parse_json(server.requests[0].body).value(), "input"), "why?");
    EXPECT_EQ(server.requests[1].method, "GET");
    EXPECT_EQ(server.requests[1].path, "/v1/jobs/async/job/job-42/stream");
}

TEST(Aiq, AJobThatFailsIsAFailure) {
    const auto error_of = [](const std::string& submit, const std::string& stream) {
        ScriptedServer server({{"/v1/jobs/async/submit", submit}, {"/v1/jobs/async/job/{id}/stream", stream}});
        return call(known("aiq", server.url())).error.value_or(Error{}).message;
    };
    const char* submitted = R"({"job_id":"job-42"})";
    EXPECT_EQ(error_of(submitted, kJobStream + event("job.error", R"({"data":{"error":"no tool"}})")), "no tool");
    EXPECT_EQ(error_of(submitted, kJobStream + event("job.status", R"({"status":"failure"})")), "failure");
    EXPECT_EQ(error_of(submitted, kJobStream), "the stream was cut short");
    EXPECT_EQ(error_of(submitted, event("job.status", R"({"status":"success"})")), "the answer ended without a result");
    EXPECT_EQ(error_of(R"({"detail":"full"})", kJobStream), "full");
    EXPECT_EQ(error_of(R"({"status":"submitted"})", kJobStream), "the answer has no job_id");
}

TEST(AiqV1, ThePlanGoesIntoTheReport) {
    const char* queries = R"([{"query":"a \"b\"","report_section":"one","rationale":"c"}])";
    ScriptedServer server(
        {{"/generate_query/stream", std::string("data: {\"queries\":[]}\n\n") +
                                        R"(data: {"queries":null,"intermediate_step":"{\"generating_questions\":\"I think\"}"})" + "\n\n" +
                                        "data: {\"queries\":" + queries + ",\"intermediate_step\":null}\n\n"},
         {"/generate_summary/stream", std::string(R"(data: {"intermediate_step":"{\"rag_answer\":\"found\"}"})") + "\n\n" +
                                          R"(data: {"intermediate_step":"{\"final_report\":\"# Report\"}"})" + "\n\n" +
                                          R"(data: {"citations":"1","final_report":"# Report","intermediate_step":null})" + "\n\n"}});
    const auto record = call(known("aiq_v1", server.url()));
    EXPECT_FALSE(record.error) << record.error->message;
    EXPECT_EQ(record.pieces, 2u);
    ASSERT_EQ(server.requests.size(), 2u);
    const auto body = parse_json(server.requests[1].body).value();
    EXPECT_EQ(body.at("queries"), parse_json(queries).value());
    EXPECT_EQ(get_string(body, "topic"), "why?");
}

TEST(AiqV1, AnErrorEndsTheCall) {
    ScriptedServer server({{"/generate_query/stream", "data: {\"queries\":[]}\n\n{\"code\":422,\"message\":\"rejected\"}\n"},
                           {"/generate_summary/stream", ""}});
    EXPECT_EQ(call(known("aiq_v1", server.url())).error.value_or(Error{}).message, "rejected");
    EXPECT_EQ(server.requests.size(), 1u);
}

TEST(Nat, SessionsHaveTheirConversation) {
    ScriptedServer server({{"/generate/full", "data: {\"value\":\"fine\"}\n\n"}});
    EXPECT_FALSE(call(make_nat_spec(server.url())).error);
    ASSERT_EQ(server.requests.size(), 1u);
    EXPECT_EQ(*net::find_header(server.requests[0].headers, "conversation-id"), "load-0");
    EXPECT_EQ(server.requests[0].body, R"({"input_message":"why?"})");
}

TEST(SequenceTarget, HeadersAreCapturedAndSent) {
    ScriptedServer server({{"/one", "{}"}, {"/two", R"({"value":"x"})"}});
    auto spec = parse_target(
                    "headers: {Authorization: Bearer t}\nrequests:\n"
                    "- {path: /one, answer: {sse: false, capture: {place: {header: X-Place}}}}\n"
                    "- {path: /two, headers: {X-From: \"at ${place}\"}, answer: {sse: false, token: [{path: value}]}}\n",
                    "t.yml", server.url(), no_env)
                    .value();
    EXPECT_EQ(shown_target(spec), "POST " + server.url() + "/one, then POST " + server.url() + "/two");
    const auto record = call(spec);
    EXPECT_FALSE(record.error) << record.error->message;
    EXPECT_EQ(*net::find_header(server.requests.at(1).headers, "x-from"), "at here");
    EXPECT_EQ(*net::find_header(server.requests.at(1).headers, "authorization"), "Bearer t");
}

TEST(SequenceTarget, AStatusIsAnError) {
    ScriptedServer server({{"/one", "{}"}});
    const auto spec = parse_target("requests:\n- {path: /missing}\n- {path: /one, answer: {sse: false, token: [{path: value}]}}\n", "t.yml",
                                   server.url(), no_env)
                          .value();
    EXPECT_EQ(call(spec).error.value_or(Error{}).http_status, 404);
    EXPECT_TRUE(server.requests.empty());
}

TEST(SequenceTarget, OnlyLoopbackIsHarmless) {
    const auto is_local = [](const char* second) {
        HttpTargetSpec spec{.kind = HttpKind::described};
        spec.requests = {{.url = "http://127.0.0.1:1/x"}, {.url = second}};
        return is_loopback(spec);
    };
    EXPECT_TRUE(is_local("http://localhost/${id}/y").value());
    EXPECT_FALSE(is_local("http://${id}/y").value());
    EXPECT_FALSE(is_local("http://example.org/").value());
    EXPECT_FALSE(is_local("nowhere"));
}

TEST(SequenceTarget, ProblemsHaveTheirPlaces) {
    const char* text =
        "path: /x\n"
        "requests:\n"
        "- {path: /one, body: {q: \"${later}\"}}\n"
        "- [two]\n"
        "- path: /three\n"
        "  answer: {token: [{header: X}], capture: {input: {path: a}, b: c}}\n";
    const auto spec = parse_target(text, "t.yml", "http://h", no_env);
    ASSERT_FALSE(spec);
    for (const char* words : {"t.yml:1:", "t.yml:3:", "${later}", "t.yml:4:", "t.yml:6:", "answer.capture.input"})
        EXPECT_THAT(spec.error().message, HasSubstr(words));
    EXPECT_FALSE(parse_target("requests: []\n", "t.yml", "http://h", no_env));
    EXPECT_FALSE(parse_target("requests:\n- {path: /one}\n", "t.yml", "http://h", no_env));  // no answer anywhere
    EXPECT_THAT(known_target_names(), testing::UnorderedElementsAre("aiq", "aiq_v1"));
}

}  // namespace
}  // namespace plimsoll::load
