#include "llm/openai_chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "event/span.h"
#include "llm/scripted_server_test.h"

namespace plimsoll::llm {
namespace {

using namespace std::chrono_literals;
using testing::hanging_reply;
using testing::json_reply;
using testing::Reply;
using testing::ScriptedServer;
using testing::sse;
using testing::sse_delta;
using testing::sse_done;
using testing::sse_finish;
using testing::stream_reply;

const std::string kKey = "sk-very-secret-key";
const std::string kAnswer = R"({"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],)"
                            R"("usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}})";

Reply hello() { return stream_reply({sse_delta("hel"), sse_delta("lo"), sse_finish(), sse_done()}); }

struct Call {
    Result<ChatResult> result = fail(ErrorCode::internal, "not asked");
    std::string answer, reasoning;  // what on_piece got
    std::vector<event::Step> steps;

    const event::Step& end() const { return steps.back(); }
    std::size_t chunks() const { return event::pair_spans(steps).spans.at(0).token_times.size(); }
    std::string everything_written() const {
        std::string text = result ? "" : result.error().message;
        for (const auto& step : steps) text += to_compact_json(to_json(step));
        return text;
    }
};

asio::awaitable<void> ask(OpenAiChat& model, event::Context context, ChatRequest request, Call& call, std::function<void()> on_first) {
    const auto on_piece = [&call, on_first](std::string_view piece, bool reasoning) {
        if (on_first && call.answer.empty()) on_first();
        (reasoning ? call.reasoning : call.answer) += piece;
    };
    call.result = co_await model.chat(std::move(context), std::move(request), on_piece);
}

// Asks and cancels the call at the first piece of its answer.
asio::awaitable<void> ask_and_cancel(OpenAiChat& model, event::Context context, ChatRequest request, Call& call) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    const auto cancel = [&never] { never.cancel(); };
    co_await (ask(model, std::move(context), std::move(request), call, cancel) || never.async_wait(asio::as_tuple(asio::use_awaitable)));
}

class OpenAiChatTest : public ::testing::Test {
  protected:
    ~OpenAiChatTest() override { server_.reset(); }

    void script(std::vector<Reply> replies) {
        server_ = std::make_unique<ScriptedServer>(pool_, std::move(replies));
        endpoint_.base_url = [this] { return server_->base_url(); };
    }

    Call call(ChatRequest request, Deadline deadline = {}, bool cancel_at_first_piece = false) {
        if (request.messages.empty()) request.messages = {{"system", "be brief"}, {"user", "say hello"}};
        auto session = event::Session::make({}, {}, system_clock(), 1);
        event::Context context = session->root().with_deadline(deadline);
        OpenAiChat model("main", endpoint_, defaults_);
        Call call;
        pool_.run(
            [&] { return cancel_at_first_piece ? ask_and_cancel(model, context, request, call) : ask(model, context, request, call, {}); });
        call.steps = session->take_steps();
        return call;
    }

    net::IoPool pool_{1, 1};
    std::unique_ptr<ScriptedServer> server_;
    Endpoint endpoint_{.base_url = {}, .api_key = kKey, .retry = {.attempts = 3, .initial = 1ms, .max = 5ms}};
    ChatDefaults defaults_{.model = "m-1", .temperature = 0.5, .max_tokens = 300};
};

void expect_failed(const Call& call, ErrorCode code) {
    ASSERT_FALSE(call.result.has_value());
    EXPECT_EQ(call.result.error().code, code) << call.result.error().message;
    ASSERT_FALSE(call.steps.empty());
    EXPECT_EQ(call.end().payload.event_type.phase, event::Phase::end);
    const auto recorded = event::step_error(call.end());
    ASSERT_TRUE(recorded.has_value());
    EXPECT_EQ(recorded->code, code);
    EXPECT_EQ(call.everything_written().find(kKey), std::string::npos);
}

TEST_F(OpenAiChatTest, StreamsAnAnswerAndRecordsIt) {
    const json::value usage = {
        {"prompt_tokens", 12}, {"completion_tokens", 2}, {"total_tokens", 14}, {"prompt_tokens_details", {{"cached_tokens", 8}}}};
    script(
        {stream_reply({sse_delta("hel"), sse_delta("lo"), sse_finish(), sse({{"choices", json::array()}, {"usage", usage}}), sse_done()})});
    const auto call = this->call({});
    ASSERT_TRUE(call.result) << call.result.error().message;
    EXPECT_EQ(call.result->content, "hello");
    EXPECT_EQ(call.answer, "hello");
    EXPECT_EQ(call.result->usage.cached_tokens, 8);
    EXPECT_EQ(call.result->attempts, 1);

    ASSERT_EQ(call.steps.size(), 4u);
    const auto& start = call.steps.front().payload;
    EXPECT_EQ(to_string(start.event_type), "LLM_START");
    EXPECT_EQ(start.name, "m-1");
    EXPECT_FALSE(start.framework.has_value());
    EXPECT_EQ(start.usage_info->num_llm_calls, 1);
    EXPECT_EQ(to_compact_json(start.data->input), R"([{"role":"system","content":"be brief"},{"role":"user","content":"say hello"}])");
    EXPECT_EQ(to_string(call.steps[1].payload.event_type), "LLM_NEW_TOKEN");
    EXPECT_EQ(call.steps[1].payload.data->chunk, json::value("hel"));
    const auto& end = call.end().payload;
    EXPECT_EQ(to_string(end.event_type), "LLM_END");
    EXPECT_EQ(end.data->output, json::value("hello"));
    EXPECT_EQ(end.usage_info->num_llm_calls, 1);
    EXPECT_EQ(end.usage_info->token_usage.total_tokens, 14);
    EXPECT_EQ(get_string(end.metadata, "finish_reason"), "stop");
    EXPECT_EQ(find(end.metadata, "attempts"), nullptr);
    EXPECT_EQ(find(end.metadata, "usage_estimated"), nullptr);
    EXPECT_EQ(call.everything_written().find(kKey), std::string::npos);
}

TEST_F(OpenAiChatTest, SendsWhatWasConfiguredAndAsked) {
    script({hello()});
    defaults_.extra = {{"repeat_penalty", 1.1}, {"min_p", 0.1}, {"model", "not this"}};
    ChatRequest request;
    request.max_tokens = 5;
    request.seed = 42;
    request.stop = {"END"};
    request.extra = {{"repeat_penalty", 1.3}};
    request.json_schema = json::object{{"type", "object"}};
    ASSERT_TRUE(call(request).result);
    const auto body = server_->body(0);
    EXPECT_EQ(get_string(body, "model"), "m-1");
    EXPECT_EQ(get_number(body, "temperature"), 0.5);
    EXPECT_EQ(get_int(body, "max_tokens"), 5);
    EXPECT_EQ(get_int(body, "seed"), 42);
    EXPECT_EQ(get_number(body, "repeat_penalty"), 1.3);
    EXPECT_EQ(get_number(body, "min_p"), 0.1);
    EXPECT_EQ(find(body, "top_p"), nullptr);
    EXPECT_EQ(to_compact_json(*find(body, "stop")), R"(["END"])");
    EXPECT_EQ(to_compact_json(*find(body, "stream_options")), R"({"include_usage":true})");
    EXPECT_EQ(to_compact_json(*find(body, "response_format")),
              R"({"type":"json_schema","json_schema":{"name":"answer","strict":false,"schema":{"type":"object"}}})");
    EXPECT_EQ(*net::find_header(server_->requests()[0].headers, "Authorization"), "Bearer " + kKey);
}

TEST_F(OpenAiChatTest, NoKeyNoAuthorization) {
    script({hello()});
    endpoint_.api_key.clear();
    ASSERT_TRUE(call({}).result);
    EXPECT_EQ(net::find_header(server_->requests()[0].headers, "Authorization"), nullptr);
}

TEST_F(OpenAiChatTest, SystemLineLeadsTheSystemMessage) {
    script({hello()});
    defaults_.system_line = "/no_think";
    ASSERT_TRUE(call({}).result);
    EXPECT_EQ(get_string(find(server_->body(0), "messages")->at(0), "content"), "/no_think\nbe brief");
    ChatRequest request;
    request.messages = {{"user", "hi"}};
    const auto call = this->call(request);
    EXPECT_EQ(get_string(find(server_->body(1), "messages")->at(0), "role"), "system");
    EXPECT_EQ(get_string(call.steps.front().payload.data->input.at(0), "content"), "/no_think");
}

TEST_F(OpenAiChatTest, AsksWithoutStreaming) {
    script({json_reply(kAnswer)});
    ChatRequest request;
    request.stream = false;
    const auto call = this->call(request);
    ASSERT_TRUE(call.result) << call.result.error().message;
    EXPECT_EQ(call.result->content, "hello");
    EXPECT_EQ(call.answer, "hello");
    EXPECT_EQ(call.result->usage.total_tokens, 9);
    EXPECT_EQ(call.steps.size(), 2u);
    EXPECT_EQ(find(server_->body(0), "stream_options"), nullptr);
}

TEST_F(OpenAiChatTest, EstimatesUsageThatTheServerDoesNotSend) {
    script({hello()});
    const auto call = this->call({});
    ASSERT_TRUE(call.result);
    EXPECT_TRUE(call.result->usage_estimated);
    EXPECT_EQ(call.result->usage.completion_tokens, 2);
    EXPECT_EQ(call.result->usage.prompt_tokens, 5);  // 17 characters
    EXPECT_EQ(call.result->usage.total_tokens, 7);
    EXPECT_EQ(*find(call.end().payload.metadata, "usage_estimated"), json::value(true));
}

TEST_F(OpenAiChatTest, KeepsReasoningApart) {
    script({stream_reply({sse_delta("<think>pl"), sse_delta("an</think>hello"), sse_done()})});
    const auto call = this->call({});
    ASSERT_TRUE(call.result);
    EXPECT_EQ(call.result->content, "hello");
    EXPECT_EQ(call.reasoning, "plan");
    EXPECT_EQ(call.steps[1].payload.data->chunk, json::value("<think>pl"));
    EXPECT_EQ(get_string(call.end().payload.metadata, "reasoning"), "plan");
    EXPECT_EQ(call.end().payload.data->output, json::value("hello"));
}

TEST_F(OpenAiChatTest, RetriesWhatIsWorthIt) {
    script({json_reply(R"({"error":{"message":"slow down"}})", 429), json_reply("oops", 500), hello()});
    const auto call = this->call({});
    ASSERT_TRUE(call.result) << call.result.error().message;
    EXPECT_EQ(call.result->attempts, 3);
    EXPECT_EQ(get_int(call.end().payload.metadata, "attempts"), 3);
    EXPECT_EQ(call.chunks(), 2u);
    EXPECT_EQ(server_->requests().size(), 3u);
}

TEST_F(OpenAiChatTest, GivesUpAfterTheLastAttempt) {
    script({json_reply(R"({"error":{"message":"broken disk"}})", 500)});
    const auto call = this->call({});
    expect_failed(call, ErrorCode::http_status);
    EXPECT_EQ(call.result.error().http_status, 500);
    EXPECT_NE(call.result.error().message.find("broken disk"), std::string::npos);
    EXPECT_EQ(server_->requests().size(), 3u);
    EXPECT_EQ(get_int(call.end().payload.metadata, "attempts"), 3);
}

TEST_F(OpenAiChatTest, DoesNotWaitPastTheDeadlineForARetry) {
    script({json_reply("busy", 429, {{"Retry-After", "3600"}})});
    endpoint_.retry.max = 3600s;
    const auto call = this->call({}, Deadline::after(30s));
    expect_failed(call, ErrorCode::timeout);
    EXPECT_NE(call.result.error().message.find("busy"), std::string::npos);
    EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(OpenAiChatTest, WrongKeyIsNotRetriedNorTold) {
    Reply reply = json_reply("Incorrect API key provided: ", 401);
    reply.echo_authorization = true;
    script({reply});
    const auto call = this->call({});
    expect_failed(call, ErrorCode::http_status);
    EXPECT_EQ(call.result.error().http_status, 401);
    EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(OpenAiChatTest, RetriesErrorsByTheirText) {
    script({json_reply("the MODEL is warming Up", 418), hello()});
    endpoint_.retry_on_errors = {"warming up"};
    ASSERT_TRUE(call({}).result);
    EXPECT_EQ(server_->requests().size(), 2u);
}

TEST_F(OpenAiChatTest, HangIsATimeoutOfTheRequest) {
    script({hanging_reply()});
    endpoint_.request_timeout = 40ms;
    expect_failed(call({}, Deadline::after(1h)), ErrorCode::timeout);
    EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(OpenAiChatTest, PassedDeadlineIsATimeout) {
    script({hello()});
    expect_failed(call({}, Deadline::at({})), ErrorCode::timeout);
}

TEST_F(OpenAiChatTest, HangInMidStreamIsATimeoutOfTheSession) {
    script({stream_reply({sse_delta("hal")}, Reply::Ending::hang)});
    const auto call = this->call({}, Deadline::after(150ms));
    expect_failed(call, ErrorCode::timeout);
    EXPECT_EQ(call.end().payload.data->output, json::value("hal"));
}

TEST_F(OpenAiChatTest, BrokenStreamAfterAPieceIsNotRetried) {
    for (const auto ending : {Reply::Ending::normal, Reply::Ending::cut, Reply::Ending::reset}) {
        script({stream_reply({sse_delta("hal")}, ending), hello()});
        // A reset may overtake the piece; then the call is asked again and right.
        const auto call = this->call({});
        if (call.chunks() == 2) {
            EXPECT_EQ(ending, Reply::Ending::reset);
            continue;
        }
        expect_failed(call, ErrorCode::bad_response);
        EXPECT_EQ(server_->requests().size(), 1u);
    }
}

TEST_F(OpenAiChatTest, BrokenStreamBeforeAnyPieceIsRetried) {
    for (const auto ending : {Reply::Ending::normal, Reply::Ending::cut, Reply::Ending::reset}) {
        script({stream_reply({}, ending), hello()});
        const auto call = this->call({});
        ASSERT_TRUE(call.result) << call.result.error().message;
        EXPECT_EQ(call.result->attempts, 2);
    }
}

TEST_F(OpenAiChatTest, CompleteAnswerSurvivesACutConnection) {
    script({stream_reply({sse_delta("hello") + sse_finish()}, Reply::Ending::cut)});
    const auto call = this->call({});
    ASSERT_TRUE(call.result) << call.result.error().message;
    EXPECT_EQ(call.result->content, "hello");
}

TEST_F(OpenAiChatTest, GarbageIsABadResponse) {
    for (const bool stream : {true, false}) {
        script({{200, "text/html", {"<html>Please log in</html>"}}});
        ChatRequest request;
        request.stream = stream;
        const auto call = this->call(request);
        expect_failed(call, ErrorCode::bad_response);
        EXPECT_NE(call.result.error().message.find("<html>Please log in"), std::string::npos);
        EXPECT_EQ(server_->requests().size(), 3u);
    }
}

TEST_F(OpenAiChatTest, ErrorInMidStreamIsTheServers) {
    script({stream_reply({sse_delta("a"), sse({{"error", {{"message", "no memory"}, {"code", 500}}}})}, Reply::Ending::hang)});
    const auto call = this->call({}, Deadline::after(1h));
    expect_failed(call, ErrorCode::http_status);
    EXPECT_EQ(call.chunks(), 1u);
    EXPECT_EQ(server_->requests().size(), 1u);
}

TEST_F(OpenAiChatTest, NobodyThereIsAConnectError) {
    script({hello()});
    const std::string gone = server_->base_url();
    server_.reset();
    endpoint_.base_url = [gone] { return gone; };
    const auto call = this->call({});
    expect_failed(call, ErrorCode::connect);
    EXPECT_EQ(get_int(call.end().payload.metadata, "attempts"), 3);
}

TEST_F(OpenAiChatTest, AsksForTheAddressBeforeEveryAttempt) {
    script({hello()});
    int asked = 0;
    endpoint_.base_url = [this, &asked] { return ++asked == 1 ? "http://127.0.0.1:1/v1" : server_->base_url(); };
    const auto call = this->call({});
    ASSERT_TRUE(call.result) << call.result.error().message;
    EXPECT_EQ(call.result->attempts, 2);
}

TEST_F(OpenAiChatTest, CancellingInMidStreamClosesTheSpan) {
    script({stream_reply({sse_delta("hal")}, Reply::Ending::hang)});
    const auto call = this->call({}, Deadline::after(1h), true);
    ASSERT_EQ(call.chunks(), 1u);
    const auto error = event::step_error(call.end());
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, ErrorCode::cancelled);
    EXPECT_EQ(server_->requests().size(), 1u);
}

asio::awaitable<void> ask_throwing(OpenAiChat& model, event::Context context, Call& call) {
    const auto throws = [](std::string_view, bool) { throw std::runtime_error("full"); };
    call.result = co_await model.chat(std::move(context), {.messages = {{"user", "hi"}}}, throws);
}

TEST_F(OpenAiChatTest, ThrowingReceiverFailsTheCall) {
    script({hello()});
    auto session = event::Session::make({}, {}, system_clock(), 1);
    OpenAiChat model("main", endpoint_, defaults_);
    Call call;
    pool_.run([&] { return ask_throwing(model, session->root(), call); });
    call.steps = session->take_steps();
    expect_failed(call, ErrorCode::internal);
}

}  // namespace
}  // namespace plimsoll::llm
