#include "eval/remote.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "base/files.h"
#include "eval/raw_server.h"
#include "eval/remote_answer.h"

namespace plimsoll::eval {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kGoldens = fs::path(PLIMSOLL_SOURCE_DIR) / "tests/goldens/nat";

std::string response(std::string_view head, std::string_view body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", head, body.size(), body);
}

std::string stream(std::string_view body) { return response("200 OK\r\nContent-Type: text/event-stream", body); }

std::string step_line(std::string_view type, std::string_view uuid, std::string_view parent, std::string_view framework = "null") {
    const std::string payload =
        fmt::format(R"({{"event_type":"{}","event_timestamp":1.5,"framework":{},"name":"n-{}","UUID":"{}"}})", type, framework, uuid, uuid);
    return "intermediate_data: " + to_compact_json({{"id", uuid}, {"parent_id", parent}, {"payload", payload}}) + "\n\n";
}

// ---- the answer's body ----

struct Parsed {
    SessionOutcome outcome;
    std::vector<event::Step> steps;
    std::size_t skipped = 0;
};

Parsed parse(std::string_view body) {
    Parsed out;
    RemoteAnswer answer([&](event::Step step) { out.steps.push_back(std::move(step)); });
    EXPECT_TRUE(answer.feed(body));
    out.outcome = answer.finish();
    out.skipped = answer.skipped();
    return out;
}

TEST(RemoteAnswer, JoinsTheValues) {
    EXPECT_EQ(parse("data: {\"value\":\"a\"}\n\ndata: {\"value\":null}\n\ndata: {\"value\":\"b\"}\n\ndata: [DONE]\n\n").outcome.output,
              json::value("ab"));
    EXPECT_EQ(parse("data: {\"value\":{\"x\":1}}\n\n").outcome.output, json::value({{"x", 1}}));
    EXPECT_EQ(parse("data: {\"value\":1}\n\ndata: {\"value\":\"b\"}").outcome.output, json::value("1b"));
}

TEST(RemoteAnswer, ABareObjectIsTheWorkflowsError) {
    const Parsed parsed =
        parse(step_line("WORKFLOW_START", "w", "root") + R"({"code":"workflow_error","message":"boom","details":"ValueError"})");
    ASSERT_TRUE(parsed.outcome.error);
    EXPECT_EQ(parsed.outcome.error->code, ErrorCode::internal);
    EXPECT_THAT(parsed.outcome.error->message, HasSubstr("boom"));
    EXPECT_EQ(parsed.steps.size(), 1u);
}

TEST(RemoteAnswer, NothingIsAnError) {
    EXPECT_EQ(parse("").outcome.error->code, ErrorCode::bad_response);
    EXPECT_EQ(parse("observability_trace: {}\n\n: comment\n\n").outcome.error->code, ErrorCode::bad_response);
}

TEST(RemoteAnswer, CountsDamageAndGoesOn) {
    const Parsed parsed = parse(
        "intermediate_data: {oops}\nintermediate_data: {\"payload\":\"**markdown**\"}\nintermediate_data: {\"payload\":7}\n"
        "data: nonsense\ndata: {\"other\":1}\n{\"detail\":1}\n" +
        step_line("TOOL_START", "t", "root") + "data: {\"value\":\"ok\"}\n");
    EXPECT_EQ(parsed.skipped, 6u);
    EXPECT_EQ(parsed.steps.size(), 1u);
    EXPECT_EQ(parsed.outcome.output, json::value("ok"));
}

TEST(RemoteAnswer, FunctionAncestryFollowsTheParents) {
    const Parsed parsed = parse(step_line("WORKFLOW_START", "w", "root") + step_line("FUNCTION_START", "f", "w") +
                                step_line("FUNCTION_START", "graph", "f", "\"langchain\"") + step_line("FUNCTION_START", "g", "graph") +
                                step_line("LLM_START", "l", "g") + step_line("LLM_NEW_TOKEN", "l", "g") + step_line("LLM_END", "l", "g") +
                                step_line("FUNCTION_END", "g", "graph") + step_line("TOOL_START", "t", "graph"));
    ASSERT_EQ(parsed.steps.size(), 9u);
    EXPECT_EQ(parsed.steps[0].function_ancestry.function_name, "root");
    EXPECT_EQ(parsed.steps[1].function_ancestry.function_name, "n-f");
    EXPECT_EQ(parsed.steps[1].function_ancestry.parent_name, "root");
    EXPECT_EQ(parsed.steps[2].function_ancestry.function_name, "n-f");
    EXPECT_EQ(parsed.steps[3].function_ancestry.function_name, "n-g");
    EXPECT_EQ(parsed.steps[3].function_ancestry.parent_id, "f");
    for (int i = 4; i <= 7; ++i) EXPECT_EQ(parsed.steps[static_cast<std::size_t>(i)].function_ancestry.function_id, "g");
    EXPECT_EQ(parsed.steps[8].function_ancestry.function_name, "n-f");
    EXPECT_EQ(parsed.steps[6].parent_id, "g");
}

// ---- the wire ----

class RemoteTest : public testing::Test {
  protected:
    RunResult ask(const RemoteOptions& remote, std::vector<DatasetItem> items) {
        RunOptions options;
        options.items = std::move(items);
        options.max_concurrency = 4;
        options.folder = folder_.path();
        net::IoPool pool(2);
        auto result = run_sessions(pool, make_remote_runner(remote), options);
        EXPECT_TRUE(result) << result.error().message;
        return std::move(*result);
    }
    ItemResult ask_one(const std::string& url, int attempts = 3, std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
        RemoteOptions remote;
        remote.endpoint = url;
        remote.timeout = timeout;
        remote.retry.attempts = attempts;
        remote.retry.initial = std::chrono::milliseconds(1);
        DatasetItem item;
        item.id = 1;
        item.question = "why?";
        return std::move(ask(remote, {item}).items[0]);
    }

    TemporaryFolder folder_;
};

TEST(FindEndpoint, TakesAnyAnswer) {
    net::IoPool pool(1);
    for (const char* answer : {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "what?\r\n\r\n"}) {
        RawServer server([&](const std::string&) { return answer; }, true);
        EXPECT_TRUE(find_endpoint(pool, server.url() + "/base")) << answer;
    }
    EXPECT_EQ(find_endpoint(pool, "http://127.0.0.1:1").error().code, ErrorCode::connect);
    EXPECT_EQ(find_endpoint(pool, "http://h:port").error().code, ErrorCode::invalid_argument);
}

// The recorded exchanges of one case: request body -> raw response.
std::map<std::string, std::string> load_exchanges(const std::string& name) {
    const auto split = [](const std::string& text, const std::string& start) {
        std::vector<std::string> parts;
        for (std::size_t at = text.find(start); at != std::string::npos;) {
            const std::size_t next = text.find(start, at + 1);
            parts.push_back(text.substr(at, next - at));
            at = next;
        }
        return parts;
    };
    std::map<std::string, std::string> exchanges;
    for (const char* connection : {"000", "001", "002", "003"}) {
        const fs::path stem = kGoldens / name / "http" / connection;
        const auto requests = split(*load_file(stem.string() + ".req"), "POST /generate/full ");
        const auto responses = split(*load_file(stem.string() + ".resp"), "HTTP/1.1 ");
        EXPECT_EQ(requests.size(), responses.size());
        for (std::size_t i = 0; i < requests.size(); ++i) {
            const std::string body = requests[i].substr(requests[i].find("\r\n\r\n") + 4);
            exchanges[to_compact_json(*parse_json(body))] = responses[i];
        }
    }
    return exchanges;
}

TEST_F(RemoteTest, ReplaysARecordedRun) {
    const auto exchanges = load_exchanges("endpoint_research_8");
    RawServer server([&](const std::string& body) { return exchanges.at(body); });
    const auto dataset = load_dataset({}, kGoldens / "endpoint_research_8/dataset.json");
    ASSERT_TRUE(dataset);
    RunResult result = ask({.endpoint = server.url()}, dataset->items);
    const auto expected = parse_json(*load_file(kGoldens / "endpoint_research_8/out/workflow_output.json"));
    ASSERT_TRUE(expected);
    ASSERT_EQ(result.items.size(), expected->as_array().size());
    for (std::size_t i = 0; i < result.items.size(); ++i) {
        const json::object& row = expected->as_array()[i].as_object();
        EXPECT_EQ(result.items[i].output, row.at("generated_answer"));
        std::erase_if(result.items[i].steps, [](const event::Step& step) {
            return step.payload.event_type.phase != event::Phase::end ||
                   (step.payload.event_type.category != event::Category::llm && step.payload.event_type.category != event::Category::tool);
        });
        const json::array& steps = row.at("intermediate_steps").as_array();
        ASSERT_EQ(result.items[i].steps.size(), steps.size());
        for (std::size_t j = 0; j < steps.size(); ++j)
            EXPECT_EQ(event::to_json(result.items[i].steps[j].payload), steps[j].as_object().at("payload"));
    }
    EXPECT_EQ(server.requests().size(), 8u);
}

TEST_F(RemoteTest, ReplaysARecordedRefusal) {
    const auto exchanges = load_exchanges("endpoint_422_8");
    RawServer server([&](const std::string& body) { return exchanges.at(body); });
    const auto dataset = load_dataset({}, kGoldens / "endpoint_422_8/dataset.json");
    const RunResult result = ask({.endpoint = server.url()}, dataset->items);
    EXPECT_EQ(result.failed(), 8u);
    EXPECT_FALSE(result.interrupted);
    for (const auto& item : result.items) {
        EXPECT_EQ(item.error->code, ErrorCode::http_status);
        EXPECT_EQ(item.error->http_status, 422);
        EXPECT_THAT(item.error->message, HasSubstr("Field required"));
    }
    EXPECT_EQ(server.requests().size(), 8u);
}

TEST_F(RemoteTest, TriesBusyServersAgain) {
    int calls = 0;
    RawServer server([&](const std::string&) { return ++calls < 3 ? response("503 Busy", "") : stream("data: {\"value\":\"ok\"}\n\n"); });
    EXPECT_EQ(ask_one(server.url()).output, json::value("ok"));
    EXPECT_EQ(server.requests().size(), 3u);
    EXPECT_THAT(server.requests()[0], testing::StartsWith("POST /generate/full HTTP/1.1\r\n"));
    EXPECT_THAT(server.requests()[0], testing::EndsWith("\r\n\r\n{\"input_message\":\"why?\"}"));
}

TEST_F(RemoteTest, GivesUpAfterItsAttempts) {
    RawServer server([](const std::string&) { return response("429 Slow Down", R"({"message":"slow down"})"); });
    const ItemResult item = ask_one(server.url(), 2);
    EXPECT_EQ(item.error->http_status, 429);
    EXPECT_THAT(item.error->message, HasSubstr("slow down"));
    EXPECT_EQ(server.requests().size(), 2u);
}

TEST_F(RemoteTest, DoesNotTryRefusalsAgain) {
    for (const char* status : {"401 Unauthorized", "404 Not Found", "400 Bad Request"}) {
        RawServer server([&](const std::string&) { return response(status, "no"); });
        EXPECT_EQ(ask_one(server.url()).error->http_status, std::stoi(status));
        EXPECT_EQ(server.requests().size(), 1u);
    }
}

TEST_F(RemoteTest, ATimeoutIsTheItemsFailure) {
    RawServer server([](const std::string&) { return std::string(); });
    EXPECT_EQ(ask_one(server.url(), 3, std::chrono::milliseconds(100)).error->code, ErrorCode::timeout);
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(RemoteTest, ACutAnswerKeepsItsSteps) {
    RawServer server(
        [](const std::string&) { return "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + step_line("LLM_START", "l", "root"); }, true);
    const ItemResult item = ask_one(server.url());
    EXPECT_EQ(item.error->code, ErrorCode::bad_response);
    EXPECT_EQ(item.steps.size(), 1u);
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(RemoteTest, NobodyThereIsAConnectError) {
    std::string url;
    {
        url = RawServer([](const std::string&) { return std::string(); }).url();
    }
    EXPECT_EQ(ask_one(url).error->code, ErrorCode::connect);
}

TEST_F(RemoteTest, GarbageIsABadResponse) {
    RawServer server([](const std::string&) { return std::string("\x16\x03\x01 what?\r\n\r\n"); }, true);
    EXPECT_EQ(ask_one(server.url()).error->code, ErrorCode::bad_response);
}

}  // namespace
}  // namespace plimsoll::eval
