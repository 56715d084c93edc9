#include "llm/sim_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <map>
#include <numeric>

#include "base/files.h"
#include "base/json.h"
#include "llm/sim_metrics.h"
#include "net/http_client.h"
#include "net/io_pool.h"
#include "net/sse.h"

namespace plimsoll::llm {
namespace {

using namespace std::chrono_literals;
using std::chrono::duration;
using std::chrono::steady_clock;
using testing::HasSubstr;

constexpr auto kPatience = 30s;  // for what takes milliseconds on a quiet machine

SimOptions quick() {
    SimOptions options;
    options.ttft = options.itl = 0us;
    options.tokens = 20;
    return options;
}

struct Answer {
    std::optional<Error> error;
    net::HttpResponse http;
    std::string text;  // of all deltas
    std::string finish_reason;
    std::vector<duration<double>> arrivals;  // of each piece with content, from the start
    int bad_lines = 0;
    bool done = false;
    json::value usage;
};

void take_event(Answer& answer, std::string_view value, steady_clock::time_point begin) {
    if (value == "[DONE]") {
        answer.done = true;
        return;
    }
    const auto event = parse_json(value);
    if (!event) {
        ++answer.bad_lines;
        return;
    }
    if (const auto* usage = find(*event, "usage")) answer.usage = *usage;
    for (const auto& choice : event->at("choices").as_array()) {
        const auto* delta = find(choice, "delta");
        const auto piece = delta ? get_string(*delta, "content") : get_string(choice, "text");
        if (piece && !piece->empty()) {
            answer.text += *piece;
            answer.arrivals.emplace_back(steady_clock::now() - begin);
        }
        if (const auto reason = get_string(choice, "finish_reason")) answer.finish_reason = *reason;
    }
}

asio::awaitable<Answer> post(std::string url, std::string body, std::string fault, steady_clock::duration patience, std::string key) {
    Answer answer;
    const auto begin = steady_clock::now();
    net::SseParser parser([&](std::string_view field, std::string_view value) {
        if (field == "data") take_event(answer, value, begin);
    });
    net::HttpRequest request{.method = "POST", .url = url, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)};
    if (!fault.empty()) request.headers.emplace_back("x-sim-fault", fault);
    if (!key.empty()) request.headers.emplace_back("Authorization", "Bearer " + key);
    request.deadline = Deadline::after(patience);
    auto& client = net::HttpClient::of(co_await asio::this_coro::executor);
    std::string whole;
    auto response = co_await client.stream(std::move(request), [&](std::string_view bytes) {
        whole += bytes;
        return parser.feed(bytes).has_value();
    });
    if (!response) {
        answer.error = response.error();
    } else {
        answer.http = std::move(*response);
        if (answer.http.body.empty()) answer.http.body = whole;
    }
    co_return answer;
}

// A server on one io thread, its clients on another.
class Sim {
  public:
    explicit Sim(SimOptions options = quick()) : server_(pool_.at(0).get_executor(), std::move(options)) {
        const auto port = server_.listen();
        EXPECT_TRUE(port) << port.error().message;
        ended_ = asio::co_spawn(pool_.at(0), server_.run(), asio::use_future);
    }
    ~Sim() {
        stop();
        pool_.stop();
    }

    void stop() {
        if (!ended_.valid()) return;
        asio::post(pool_.at(0), [this] { server_.stop(); });
        EXPECT_EQ(ended_.wait_for(kPatience), std::future_status::ready);
        ended_.get();
    }

    std::future<Answer> begin(std::string path, std::string body, std::string fault = {}, steady_clock::duration patience = kPatience,
                              std::string key = {}) {
        auto url = net::join_url(server_.base_url(), path);
        return asio::co_spawn(pool_.at(1), post(std::move(url), std::move(body), std::move(fault), patience, std::move(key)),
                              asio::use_future);
    }
    Answer chat(std::string_view fields = "", std::string fault = {}, steady_clock::duration patience = kPatience, std::string key = {}) {
        return begin("chat/completions", body(fields), std::move(fault), patience, std::move(key)).get();
    }
    static std::string body(std::string_view fields) {
        return fmt::format(R"({{"model":"m","messages":[{{"role":"user","content":"Hello"}}]{}{}}})", fields.empty() ? "" : ",", fields);
    }

    std::uint16_t port() const { return server_.port(); }

    net::HttpResponse get(std::string path) {
        auto url = fmt::format("http://127.0.0.1:{}{}", server_.port(), path);
        return asio::co_spawn(pool_.at(1), fetch(std::move(url)), asio::use_future).get();
    }
    SimStats stats() {
        return asio::post(pool_.at(0), std::packaged_task<SimStats()>([this] { return server_.stats(); })).get();
    }
    // The server's side of something that the client has seen already, or that only the server sees.
    bool reaches(std::function<bool(const SimStats&)> condition) {
        for (const auto deadline = Deadline::after(kPatience); !deadline.passed();)
            if (condition(stats())) return true;
        return false;
    }

  private:
    static asio::awaitable<net::HttpResponse> fetch(std::string url) {
        auto response = co_await net::HttpClient::of(co_await asio::this_coro::executor)
                            .send({.url = std::move(url), .deadline = Deadline::after(kPatience)});
        co_return response.value_or(net::HttpResponse{});
    }

    net::IoPool pool_{2};
    SimServer server_;
    std::future<void> ended_;
};

constexpr std::string_view kStream = R"("stream":true,"stream_options":{"include_usage":true})";

TEST(SimServer, StreamsAnAnswer) {
    Sim sim;
    const auto answer = sim.chat(kStream);
    ASSERT_FALSE(answer.error) << answer.error->message;
    EXPECT_EQ(answer.http.status, 200);
    EXPECT_EQ(*net::find_header(answer.http.headers, "content-type"), "text/event-stream");
    EXPECT_EQ(answer.arrivals.size(), 20u);
    EXPECT_EQ(answer.finish_reason, "stop");
    EXPECT_TRUE(answer.done);
    EXPECT_EQ(get_int(answer.usage, "completion_tokens"), 20);
    EXPECT_GT(get_int(answer.usage, "prompt_tokens"), 0);
    const auto without_usage = sim.chat(R"("stream":true)");
    EXPECT_TRUE(without_usage.usage.is_null());
    EXPECT_EQ(without_usage.text, answer.text);
}

TEST(SimServer, AnswersWhole) {
    Sim sim;
    const auto answer = sim.chat(R"("max_tokens":5)");
    const auto body = parse_json(answer.http.body);
    ASSERT_TRUE(body) << answer.http.body;
    EXPECT_EQ(body->at("object"), "chat.completion");
    EXPECT_EQ(body->at("model"), "m");
    EXPECT_EQ(body->at("choices").at(0).at("finish_reason"), "length");
    EXPECT_EQ(body->at("usage").at("completion_tokens"), 5);
    EXPECT_THAT(std::string(body->at("choices").at(0).at("message").at("content").as_string()), HasSubstr("# Report"));
}

TEST(SimServer, CompletesText) {
    Sim sim;
    const auto whole = sim.begin("completions", R"({"prompt":"Once"})").get();
    EXPECT_EQ(parse_json(whole.http.body)->at("object"), "text_completion");
    const auto streamed = sim.begin("completions", R"({"prompt":"Once","stream":true})").get();
    EXPECT_EQ(streamed.text, std::string(parse_json(whole.http.body)->at("choices").at(0).at("text").as_string()));
    EXPECT_TRUE(streamed.done);
}

TEST(SimServer, FollowsASchemaInBothForms) {
    Sim sim;
    const std::string format = R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object",
        "properties":{"ok":{"type":"boolean"}},"required":["ok"]}}})";
    EXPECT_EQ(*parse_json(sim.chat(format + R"(,"stream":true)").text), (json::value{{"ok", true}}));
    EXPECT_EQ(sim.chat(R"("response_format":{"type":"json_schema","json_schema":{"schema":{"type":"spline"}}})").http.status, 400);
}

TEST(SimServer, KeepsItsSchedule) {
    auto options = quick();
    options.ttft = 60ms;
    options.itl = 10ms;
    options.tokens = 11;
    Sim sim(options);
    const auto answer = sim.chat(kStream);
    ASSERT_EQ(answer.arrivals.size(), 11u);
    // Lower bounds hold on any machine; above there is only the absence of drift, which a busy one hides.
    EXPECT_GE(answer.arrivals.front(), 60ms);
    EXPECT_GE(answer.arrivals.back(), 160ms);
    const auto begin = steady_clock::now();
    sim.chat();
    EXPECT_GE(steady_clock::now() - begin, 160ms);
    EXPECT_GE(sim.stats().ttft.sum(), 0.12);
}

TEST(SimServer, SameSeedSameFaults) {
    auto options = quick();
    options.fault_rates = *parse_sim_fault_rates("500=0.3,429=0.3");
    std::vector<int> statuses[2];
    for (auto& list : statuses) {
        Sim sim(options);
        for (int i = 0; i < 30; ++i) list.push_back(sim.chat().http.status);
    }
    EXPECT_EQ(statuses[0], statuses[1]);
    EXPECT_THAT(statuses[0], testing::AllOf(testing::Contains(200), testing::Contains(500), testing::Contains(429)));
}

TEST(SimServer, ErrorFaults) {
    auto options = quick();
    options.retry_after = 7s;
    Sim sim(options);
    for (const int status : {500, 503, 429}) {
        const auto answer = sim.chat(kStream, fmt::format("{}", status));
        EXPECT_EQ(answer.http.status, status);
        EXPECT_TRUE(find(*parse_json(answer.http.body), "error"));
        EXPECT_EQ(answer.http.retry_after_s, status == 429 ? 7 : -1);
    }
    const auto html = sim.chat(kStream, "html");
    EXPECT_EQ(html.http.status, 200);
    EXPECT_THAT(html.http.body, HasSubstr("<html>"));
    const auto garbage = sim.chat("", "garbage");
    EXPECT_EQ(garbage.http.status, 200);
    EXPECT_FALSE(parse_json(garbage.http.body));
    EXPECT_EQ(sim.chat("", "no-such-fault").http.status, 400);
    const auto stats = sim.stats();
    for (const auto fault : {SimFault::http_500, SimFault::http_503, SimFault::http_429, SimFault::html, SimFault::garbage})
        EXPECT_EQ(stats.fault_count(fault), 1u) << to_string(fault);
    EXPECT_EQ(stats.completed, 0u);
    EXPECT_EQ(stats.rejected, 1u);
}

TEST(SimServer, ResetsTheConnection) {
    Sim sim;  // a connection of its own: on one used before libcurl would ask again
    const auto reset = sim.chat(kStream, "reset");
    ASSERT_TRUE(reset.error);
    EXPECT_EQ(reset.error->code, ErrorCode::bad_response);
    EXPECT_EQ(sim.stats().fault_count(SimFault::reset), 1u);
}

TEST(SimServer, BrokenAnswers) {
    Sim sim;
    const auto cut = sim.chat(kStream, "cut");
    EXPECT_FALSE(cut.error);
    EXPECT_EQ(cut.arrivals.size(), 10u);
    EXPECT_FALSE(cut.done);
    EXPECT_EQ(cut.finish_reason, "");
    const auto cut_whole = sim.chat("", "cut");
    ASSERT_TRUE(cut_whole.error);
    EXPECT_EQ(cut_whole.error->code, ErrorCode::bad_response);
    const auto bad = sim.chat(kStream, "bad_json");
    EXPECT_EQ(bad.bad_lines, 1);
    EXPECT_EQ(bad.arrivals.size(), 20u);
    EXPECT_TRUE(bad.done);
    EXPECT_FALSE(parse_json(sim.chat("", "bad_json").http.body));
    EXPECT_EQ(sim.stats().completed, 0u);
}

TEST(SimServer, HangsUntilTheClientLeaves) {
    Sim sim;
    for (const char* fault : {"hang", "hang_mid"}) {
        const auto answer = sim.chat(kStream, fault, 300ms);
        ASSERT_TRUE(answer.error) << fault;
        EXPECT_EQ(answer.error->code, ErrorCode::timeout) << fault;
        EXPECT_EQ(answer.arrivals.size(), std::string_view(fault) == "hang" ? 0u : 10u);
    }
    EXPECT_EQ(sim.chat("", "hang_mid", 300ms).error->code, ErrorCode::timeout);
    EXPECT_TRUE(sim.reaches([](const SimStats& stats) { return stats.open == 0; }));
    EXPECT_EQ(sim.stats().fault_count(SimFault::hang), 1u);
}

TEST(SimServer, StartsSlowlyWhenTold) {
    auto options = quick();
    options.slow_start = 100ms;
    Sim sim(options);
    const auto answer = sim.chat(kStream, "slow_start");
    EXPECT_GE(answer.arrivals.front(), 100ms);
    EXPECT_EQ(sim.stats().completed, 1u);
}

TEST(SimServer, AnswersByScript) {
    const TemporaryFolder folder;
    auto options = quick();
    options.script = folder.path() / "script.json";
    ASSERT_TRUE(save_file(options.script, R"([{"match":"Hello","reply":"Hi \"you\" é\n"},{"match":"","fault":"503"}])"));
    Sim sim(options);
    EXPECT_EQ(sim.chat(kStream).text, "Hi \"you\" é\n");
    EXPECT_EQ(sim.begin("completions", R"({"prompt":"Bye"})").get().http.status, 503);
    EXPECT_EQ(sim.begin("completions", R"({"prompt":"Bye"})", "none").get().http.status, 200);
}

TEST(SimServer, EmbedsTexts) {
    Sim sim;
    const auto answer = sim.begin("embeddings", R"({"model":"e","input":["graph neural networks","networks of graphs","cheese"]})").get();
    const auto body = parse_json(answer.http.body);
    ASSERT_TRUE(body) << answer.http.body;
    std::vector<std::vector<double>> vectors;
    for (const auto& item : body->at("data").as_array()) vectors.push_back(json::value_to<std::vector<double>>(item.at("embedding")));
    ASSERT_EQ(vectors.size(), 3u);
    EXPECT_EQ(vectors[0].size(), 384u);
    const auto cosine = [&](int a, int b) { return std::inner_product(vectors[a].begin(), vectors[a].end(), vectors[b].begin(), 0.0); };
    EXPECT_GT(cosine(0, 1), cosine(0, 2) + 0.1);
    EXPECT_GT(body->at("usage").at("prompt_tokens").as_int64(), 6);
    const auto packed = sim.begin("embeddings", R"({"input":"x","dimensions":3,"encoding_format":"base64"})").get();
    EXPECT_EQ(parse_json(packed.http.body)->at("data").at(0).at("embedding").as_string().size(), 16u);
    EXPECT_EQ(sim.begin("embeddings", R"({"input":[1]})").get().http.status, 400);
}

TEST(SimServer, QueuesBeyondItsConcurrency) {
    auto options = quick();
    options.max_concurrency = 2;
    options.ttft = 20ms;
    Sim sim(options);
    std::vector<std::future<Answer>> answers;
    answers.reserve(8);
    for (int i = 0; i < 8; ++i) answers.push_back(sim.begin("chat/completions", Sim::body(kStream)));
    const auto begin = steady_clock::now();
    for (auto& answer : answers) EXPECT_TRUE(answer.get().done);
    EXPECT_GE(steady_clock::now() - begin, 50ms);  // four rounds of 20 ms, less what ran before the clock was read
    EXPECT_EQ(sim.stats().completed, 8u);
    EXPECT_TRUE(sim.reaches([](const SimStats& stats) { return stats.running == 0 && stats.waiting == 0; }));
}

// A step of 20 ms, whatever is in it.
SimOptions batching() {
    auto options = quick();
    options.engine.emplace();
    options.engine->law = {.fixed = 0.020};
    options.engine->limits = {.max_sequences = 4, .max_batched_tokens = 1000, .kv_blocks = 1000};
    return options;
}

TEST(SimServer, BatchesContinuously) {
    Sim sim(batching());
    std::vector<std::future<Answer>> answers;
    answers.reserve(8);
    const auto begin = steady_clock::now();
    for (int i = 0; i < 8; ++i) answers.push_back(sim.begin("chat/completions", Sim::body(R"("stream":true,"max_tokens":4)")));
    for (auto& answer : answers) {
        const auto got = answer.get();
        EXPECT_TRUE(got.done);
        EXPECT_EQ(got.arrivals.size(), 4u);
    }
    // Four at once, four steps each: twice 80 ms, less what ran before the clock was read.
    EXPECT_GE(steady_clock::now() - begin, 150ms);
    const auto stats = sim.stats();
    EXPECT_EQ(stats.completed, 8u);
    EXPECT_EQ(stats.finished_by_length, 8u);
    EXPECT_EQ(stats.ttft.count(), 8u);
    EXPECT_EQ(stats.itl.count(), 24u);
    EXPECT_GE(stats.itl.sum(), 24 * 0.0199);
    EXPECT_LE(stats.replicas.at(0).steps, 4u * 8u);
    EXPECT_EQ(stats.replicas.at(0).kv_blocks_used, 0);
    EXPECT_EQ(sim.chat(R"("max_tokens":20000)").http.status, 200);
    EXPECT_EQ(sim.chat(R"("max_tokens":20000,"ignore_eos":true)").http.status, 400);  // beyond the cache
}

TEST(SimServer, BrokenAnswersOfABatch) {
    auto options = batching();
    options.headers_at_start = true;
    Sim sim(options);
    EXPECT_EQ(sim.chat(kStream, "cut").arrivals.size(), 10u);
    const auto hung = sim.chat(kStream, "hang_mid", 800ms);
    EXPECT_EQ(hung.error->code, ErrorCode::timeout);
    EXPECT_EQ(hung.arrivals.size(), 10u);
    EXPECT_TRUE(sim.reaches([](const SimStats& stats) { return stats.running == 0 && stats.open == 0; }));
    EXPECT_TRUE(sim.chat(kStream).done);
}

TEST(SimServer, SendsHeadersWhenTheQueueIsLeft) {
    auto options = batching();
    options.headers_at_start = true;
    options.engine->law.fixed = 3600;  // no token comes while this test runs
    Sim sim(options);
    asio::io_context io;
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::make_address("127.0.0.1"), sim.port()});
    const auto body = Sim::body(kStream);
    asio::write(socket, asio::buffer(fmt::format("POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nContent-Length: {}\r\n\r\n{}",
                                                 body.size(), body)));
    std::string head;
    asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n");
    EXPECT_THAT(head, testing::StartsWith("HTTP/1.1 200"));
    EXPECT_EQ(sim.stats().generation_tokens, 0u);
}

TEST(SimServer, RoutesBySession) {
    auto options = batching();
    options.engine->replicas = 4;
    options.engine->routing = SimRouting::session_hash;
    Sim sim(options);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(sim.chat(R"("max_tokens":1,"user":"ada")").http.status, 200);
    int used = 0;
    for (const auto& load : sim.stats().replicas) used += load.steps > 0 ? 1 : 0;
    EXPECT_EQ(used, 1);
}

TEST(SimServer, CallsTools) {
    Sim sim;
    const std::string tools = R"("tools":[{"type":"function","function":{"name":"search","parameters":{"type":"object",
        "properties":{"query":{"type":"string"},"k":{"type":"integer","minimum":3}},"required":["query","k"]}}}])";
    const auto body = parse_json(sim.chat(tools).http.body);
    const auto& choice = body->at("choices").at(0);
    EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
    const auto& call = choice.at("message").at("tool_calls").at(0);
    EXPECT_EQ(call.at("function").at("name"), "search");
    const auto arguments = parse_json(std::string(call.at("function").at("arguments").as_string()));
    EXPECT_EQ(*arguments, (json::value{{"query", "Hello"}, {"k", 3}}));

    // Asked again with the tool's answer, the model speaks.
    const std::string answered = R"({"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":null},
        {"role":"tool","tool_call_id":"c","content":"found"}],)" +
                                 tools;
    EXPECT_EQ(parse_json(sim.begin("chat/completions", answered + "}").get().http.body)->at("choices").at(0).at("finish_reason"), "stop");
    const auto required = sim.begin("chat/completions", answered + R"(,"tool_choice":"required","stream":true})").get();
    EXPECT_EQ(required.finish_reason, "tool_calls");
    EXPECT_EQ(required.text, "");
    EXPECT_EQ(sim.chat(tools + R"(,"tool_choice":"none","stream":true)").finish_reason, "stop");
    EXPECT_EQ(sim.chat(tools + R"(,"tool_choice":{"type":"function","function":{"name":"nothing"}})").http.status, 400);
}

TEST(SimServer, Reranks) {
    Sim sim;
    const auto answer =
        sim.begin("rerank", R"({"query":"graph networks","documents":["cheese","networks of graphs",{"text":"wine"}],"top_n":2})").get();
    const auto body = parse_json(answer.http.body);
    ASSERT_TRUE(body);
    const auto& results = body->at("results").as_array();
    ASSERT_EQ(results.size(), 2u);
    EXPECT_EQ(results[0].at("index"), 1);
    EXPECT_EQ(results[0].at("document").at("text"), "networks of graphs");
    EXPECT_GT(results[0].at("relevance_score").as_double(), results[1].at("relevance_score").as_double());
    const auto ranking = parse_json(
        sim.begin("ranking", R"({"query":{"text":"graph networks"},"passages":[{"text":"cheese"},{"text":"networks of graphs"}]})")
            .get()
            .http.body);
    EXPECT_EQ(ranking->at("rankings").at(0).at("index"), 1);
    for (const char* wrong : {"{}", R"({"query":"a"})", R"({"query":"a","documents":[]})", R"({"query":"a","documents":[1]})",
                              R"({"query":"a","documents":["b"],"top_n":0})", "["})
        EXPECT_EQ(sim.begin("rerank", wrong).get().http.status, 400) << wrong;
}

TEST(SimServer, AClientThatLeavesTheQueueFreesItsPlace) {
    auto options = quick();
    options.max_concurrency = 1;
    Sim sim(options);
    auto holder = sim.begin("chat/completions", Sim::body(kStream), "hang_mid", 3s);
    ASSERT_TRUE(sim.reaches([](const SimStats& stats) { return stats.running == 1; }));
    auto impatient = sim.begin("chat/completions", Sim::body(kStream), "", 100ms);
    auto patient = sim.begin("chat/completions", Sim::body(kStream));
    EXPECT_EQ(impatient.get().error->code, ErrorCode::timeout);
    EXPECT_TRUE(sim.reaches([](const SimStats& stats) { return stats.waiting == 1 && stats.clients_gone == 1; }));
    EXPECT_TRUE(patient.get().done);
    EXPECT_EQ(holder.get().error->code, ErrorCode::timeout);
}

TEST(SimServer, StopsWithRequestsInEveryState) {
    auto options = quick();
    options.max_concurrency = 2;
    options.ttft = 1h;
    Sim sim(options);
    std::vector<std::future<Answer>> answers;
    for (const char* fault : {"none", "none", "none", "hang"}) answers.push_back(sim.begin("chat/completions", Sim::body(kStream), fault));
    ASSERT_TRUE(sim.reaches([](const SimStats& stats) { return stats.open == 4 && stats.waiting == 1; }));
    sim.stop();
    for (auto& answer : answers) EXPECT_TRUE(answer.get().error);
}

TEST(SimServer, ServesManyStreamsAtOnce) {
    auto options = quick();
    options.ttft = 300ms;
    options.itl = 5ms;
    Sim sim(options);
    constexpr int kStreams = 200;
    std::vector<std::future<Answer>> answers;
    answers.reserve(kStreams);
    for (int i = 0; i < kStreams; ++i) answers.push_back(sim.begin("chat/completions", Sim::body(kStream)));
    for (auto& answer : answers) EXPECT_EQ(answer.get().arrivals.size(), 20u);
    const auto stats = sim.stats();
    EXPECT_EQ(stats.completed, static_cast<std::uint64_t>(kStreams));
    EXPECT_EQ(stats.generation_tokens, 20u * kStreams);
    EXPECT_GT(stats.peak_open, 10u);
}

TEST(SimServer, RefusesWhatIsWrongAndGoesOn) {
    Sim sim;
    for (const char* body : {"", "{", "[]", "{}", R"({"messages":"hi"})", "\xff\xfe"})
        EXPECT_EQ(sim.begin("chat/completions", body).get().http.status, 400) << body;
    EXPECT_EQ(sim.begin("chat/completions", std::string(9 << 20, ' ')).get().http.status, 413);
    EXPECT_EQ(sim.begin("nothing", "{}").get().http.status, 404);
    EXPECT_EQ(sim.chat().http.status, 200);
}

TEST(SimServer, AsksForItsKey) {
    auto options = quick();
    options.api_key = "secret";
    Sim sim(options);
    EXPECT_EQ(sim.chat().http.status, 401);
    EXPECT_EQ(sim.begin("embeddings", R"({"input":"x"})").get().http.status, 401);
    EXPECT_EQ(sim.chat("", {}, kPatience, "wrong").http.status, 401);
    EXPECT_EQ(sim.chat("", {}, kPatience, "secret").http.status, 200);
    EXPECT_EQ(sim.get("/health").status, 200);
}

TEST(SimServer, SaysHowItIs) {
    Sim sim;
    sim.chat(kStream);
    EXPECT_EQ(sim.get("/health").status, 200);
    EXPECT_EQ(parse_json(sim.get("/v1/models").body)->at("data").at(0).at("id"), "sim");
    const auto stats = *parse_json(sim.get("/sim/stats").body);
    EXPECT_EQ(stats.at("requests"), 1);
    EXPECT_EQ(stats.at("open"), 0);
    EXPECT_EQ(stats.at("peak_open"), 1);
    EXPECT_EQ(stats.at("faults").at("hang"), 0);
    const auto metrics = sim.get("/metrics").body;
    EXPECT_THAT(metrics, HasSubstr("vllm:generation_tokens_total{model_name=\"sim\"} 20\n"));
    EXPECT_THAT(metrics, HasSubstr("vllm:num_requests_waiting{model_name=\"sim\"} 0\n"));
    EXPECT_THAT(metrics, HasSubstr("vllm:time_to_first_token_seconds_bucket{le=\"+Inf\",model_name=\"sim\"} 1\n"));
    EXPECT_THAT(metrics, HasSubstr("vllm:request_success_total{finished_reason=\"stop\",model_name=\"sim\"} 1\n"));
    EXPECT_THAT(metrics, HasSubstr("llamacpp:tokens_predicted_total{model_name=\"sim\"} 20\n"));
    const auto nim = sim.get("/v1/metrics").body;
    EXPECT_THAT(nim, HasSubstr("\nnum_requests_running{model_name=\"sim\"} 0\n"));
    EXPECT_THAT(nim, HasSubstr("time_per_output_token_seconds_count{model_name=\"sim\"} 19\n"));
    EXPECT_EQ(parse_json(sim.get("/props").body)->at("total_slots"), 0);
}

TEST(SimServer, ChecksItsOptions) {
    net::IoPool pool;
    const auto error = [&](auto change) {
        SimOptions options;
        change(options);
        const auto port = SimServer(pool.at(0).get_executor(), options).listen();
        return port ? ErrorCode::internal : port.error().code;
    };
    EXPECT_EQ(error([](SimOptions& o) { o.jitter = 1.5; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.ttft = -1us; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.itl = 2h; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.tokens = 0; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.max_concurrency = -1; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.embedding_dim = 0; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.host = "not an address"; }), ErrorCode::invalid_argument);
    EXPECT_EQ(error([](SimOptions& o) { o.script = "/nonexistent.json"; }), ErrorCode::not_found);
}

TEST(SimStats, CountsInPrometheusBuckets) {
    SimStats stats;
    for (const double seconds : {0.001, 0.03, 9999.0}) stats.ttft.observe(seconds);
    SimOptions options;
    options.model = "a\"b";
    const auto text = sim_metrics(stats, options);
    EXPECT_THAT(text, HasSubstr("_bucket{le=\"0.001\",model_name=\"a\\\"b\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{le=\"0.04\",model_name=\"a\\\"b\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{le=\"10\",model_name=\"a\\\"b\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("_bucket{le=\"+Inf\",model_name=\"a\\\"b\"} 3\n"));
}

}  // namespace
}  // namespace plimsoll::llm
