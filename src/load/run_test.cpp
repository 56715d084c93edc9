// Whole runs against a server in this process: closed and open loop, conversations, replay, failures, interruption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <set>
#include <thread>

#include "base/json.h"
#include "event/trace.h"
#include "load/http_target.h"
#include "load/replay.h"
#include "load/run_files.h"
#include "load/runner.h"
#include "load/summary.h"
#include "net/http_server.h"
#include "net/io_pool.h"

namespace plimsoll::load {
namespace {

using std::chrono::milliseconds;

constexpr const char* kAnswer = R"({"choices":[{"message":{"content":"fine"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}})";

// A model server: "hang", "500" and "429" (with a Retry-After of a minute) in a question do what they say; every body is kept.
class Server {
  public:
    Server() : server_(context_.get_executor(), {}) {
        server_.route("POST", "/v1/chat/completions", [this](net::ServerRequest request, net::ServerResponse& response) {
            return answer(*this, std::move(request), response);
        });
        url_ = "http://127.0.0.1:" + std::to_string(server_.listen().value()) + "/v1";
        asio::co_spawn(context_, server_.run(), asio::detached);
        thread_ = std::jthread([this] { context_.run(); });
    }
    ~Server() {
        server_.stop();
        thread_.join();
    }
    const std::string& url() const { return url_; }
    std::vector<std::string> bodies;  // read after the run

  private:
    static asio::awaitable<void> answer(Server& self, net::ServerRequest request, net::ServerResponse& response) {
        self.bodies.push_back(request.body);
        if (request.body.contains("500")) {
            std::ignore = co_await response.send(500, "application/json", R"({"error":{"message":"broken"}})");
            co_return;
        }
        if (request.body.contains("429")) {
            std::ignore = co_await response.send(429, "application/json", R"({"error":{"message":"later"}})", {{"Retry-After", "60"}});
            co_return;
        }
        if (request.body.contains("hang")) co_await response.wait_gone();
        std::ignore = co_await response.send(200, "application/json", kAnswer);
    }

    asio::io_context context_{1};
    net::HttpServer server_;
    std::string url_;
    std::jthread thread_;
};

struct Ran {
    LoadOutcome outcome;
    std::vector<SessionRecord> sessions;
};

class LoadRun : public testing::Test {
  protected:
    Ran run(const LoadPlan& plan, const ScriptBook& book, std::stop_token stop = {},
            const std::function<void(const LoadProgress&)>& on_progress = {}) {
        auto spec = make_openai_spec(server_.url(), true);
        spec.stream = false;
        Ran ran;
        const auto outcome = run_load(plan, book, make_http_target(spec).value(),
                                      {.on_progress = on_progress,
                                       .on_records =
                                           [&](std::vector<SessionRecord> sessions) {
                                               for (auto& session : sessions) ran.sessions.push_back(std::move(session));
                                           }},
                                      std::move(stop));
        ran.outcome = outcome.value();
        std::ranges::sort(ran.sessions, {}, &SessionRecord::number);
        return ran;
    }
    Server server_;
};

ScriptBook questions(std::vector<std::string> texts) {
    std::vector<std::vector<std::string>> conversations;
    for (auto& text : texts) conversations.push_back({std::move(text)});
    return make_conversations(conversations, {});
}

TEST_F(LoadRun, ClosedLoopEndsAfterItsSessions) {
    LoadPlan plan;
    plan.users = 3;
    plan.max_sessions = 20;
    plan.threads = 2;
    const auto ran = run(plan, questions({"a", "b"}));
    ASSERT_EQ(ran.sessions.size(), 20u);
    EXPECT_EQ(ran.outcome.started, 20u);
    EXPECT_LE(ran.outcome.peak_calls, 3);
    for (std::size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(ran.sessions[i].number, i);
        const CallRecord& call = ran.sessions[i].calls.at(0);
        EXPECT_FALSE(call.error);
        EXPECT_EQ(call.completion_tokens, 2);
        EXPECT_LE(call.intended, call.start);
        EXPECT_LT(call.start, call.end);
    }
}

// A tick that is due when the last worker ends must not wait for another one.
TEST_F(LoadRun, EndsWhileATickIsDue) {
    LoadPlan plan;
    plan.max_sessions = 1;
    plan.tick = Nanoseconds(0);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(run(plan, questions({"a"})).sessions.size(), 1u);
}

TEST_F(LoadRun, OpenLoopKeepsItsSchedule) {
    LoadPlan plan;
    plan.open = true;
    plan.threads = 2;
    plan.arrivals.gaps = Gaps::constant;
    plan.arrivals.stages = {{milliseconds(200), 100, 100}};
    const auto ran = run(plan, questions({"a"}));
    ASSERT_EQ(ran.sessions.size(), 20u);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(ran.sessions[i].intended, static_cast<std::int64_t>(i) * 10'000'000);
}

TEST_F(LoadRun, StartsBeyondTheBoundAreDroppedAndCounted) {
    LoadPlan plan;
    plan.open = true;
    plan.max_in_flight = 2;
    plan.drain = milliseconds(0);
    plan.arrivals.gaps = Gaps::constant;
    plan.arrivals.stages = {{milliseconds(100), 200, 200}};
    const auto ran = run(plan, questions({"hang"}));
    EXPECT_EQ(ran.outcome.started, 2u);
    EXPECT_EQ(ran.outcome.dropped, 18u);
    ASSERT_EQ(ran.sessions.size(), 2u);
    for (const auto& session : ran.sessions) EXPECT_TRUE(session.unfinished && session.calls.at(0).unfinished);
}

TEST_F(LoadRun, ConversationsGrowAndStopAtAFailure) {
    LoadPlan plan;
    plan.max_sessions = 2;
    const auto ran = run(plan, make_conversations({{"one", "two", "three"}, {"one", "500", "three"}}, milliseconds(1)));
    ASSERT_EQ(ran.sessions.size(), 2u);
    EXPECT_EQ(ran.sessions[0].calls.size(), 3u);
    EXPECT_EQ(ran.sessions[1].calls.size(), 2u);
    EXPECT_EQ(ran.sessions[1].calls[1].error->http_status, 500);
    ASSERT_EQ(server_.bodies.size(), 5u);
    const auto messages = parse_json(server_.bodies[2]).value().at("messages").as_array();
    ASSERT_EQ(messages.size(), 5u);
    EXPECT_EQ(get_string(messages[1], "content"), "fine");
    EXPECT_EQ(get_string(messages[4], "content"), "three");
    EXPECT_GE(ran.sessions[0].calls[1].intended, ran.sessions[0].calls[0].end + 1'000'000);
}

TEST_F(LoadRun, ATimedOutCallIsAnError) {
    LoadPlan plan;
    plan.max_sessions = 1;
    plan.call_timeout = milliseconds(30);
    const auto ran = run(plan, questions({"hang"}));
    EXPECT_EQ(ran.sessions.at(0).calls.at(0).error->code, ErrorCode::timeout);
}

// Waits of at least 50, 100, 200, … ms between a user's starts.
TEST_F(LoadRun, AUserWhoseSessionFailedComesBackLater) {
    LoadPlan plan;
    plan.users = 4;
    plan.duration = milliseconds(300);
    const auto ran = run(plan, questions({"500"}));
    EXPECT_GE(ran.sessions.size(), 4u);
    EXPECT_LE(ran.sessions.size(), 4u * 3);
    EXPECT_GE(ran.outcome.put_off, 4u);
    EXPECT_EQ(run(plan, questions({"429"})).sessions.size(), 4u);  // not before the server said
    plan.open = true;
    plan.arrivals.gaps = Gaps::constant;
    plan.arrivals.stages = {{milliseconds(100), 100, 100}};
    EXPECT_EQ(run(plan, questions({"500"})).sessions.size(), 10u);  // an open loop has its schedule
}

TEST_F(LoadRun, DrainCancelsWhatDoesNotEnd) {
    LoadPlan plan;
    plan.users = 4;
    plan.duration = milliseconds(100);
    plan.drain = milliseconds(50);
    const auto ran = run(plan, questions({"hang"}));
    ASSERT_EQ(ran.sessions.size(), 4u);
    EXPECT_EQ(ran.outcome.starts_end, milliseconds(100));
    for (const auto& session : ran.sessions) EXPECT_TRUE(session.unfinished);
}

TEST_F(LoadRun, ASignalDrainsAndASecondOneCancels) {
    LoadPlan plan;
    plan.users = 2;
    plan.duration = std::chrono::hours(1);
    int ticks = 0;
    const auto ran = run(plan, questions({"hang"}), {}, [&](const LoadProgress&) {
        if (++ticks <= 2) ::raise(SIGINT);
    });
    EXPECT_TRUE(ran.outcome.interrupted);
    EXPECT_EQ(ran.sessions.size(), 2u);
}

TEST_F(LoadRun, StopTokenEndsThinkTimesToo) {
    LoadPlan plan;
    plan.users = 2;
    plan.duration = plan.think = std::chrono::hours(1);
    std::stop_source stop;
    const auto ran = run(plan, questions({"a"}), stop.get_token(), [&](const LoadProgress& progress) {
        if (progress.started >= 2 && progress.sessions == 0) stop.request_stop();
    });
    EXPECT_TRUE(ran.outcome.interrupted);
    EXPECT_EQ(ran.sessions.size(), 2u);
}

TEST_F(LoadRun, AnObserversExceptionComesOut) {
    LoadPlan plan;
    plan.users = 2;
    plan.duration = std::chrono::hours(1);
    EXPECT_THROW(run(plan, questions({"hang"}), {}, [](const LoadProgress&) { throw std::runtime_error("full"); }), std::runtime_error);
}

// An agent of two model calls, the first of which streams.
std::vector<event::Step> agent_steps() {
    std::vector<event::Step> steps;
    const auto add = [&](event::Category category, event::Phase phase, const char* uuid, double at) -> event::Payload& {
        event::Step& step = steps.emplace_back();
        step.payload.event_type = {category, phase};
        step.payload.event_timestamp = 500 + at;
        step.payload.uuid = uuid;
        return step.payload;
    };
    using event::Category, event::Phase;
    add(Category::workflow, Phase::start, "w", 0);
    for (const char* call : {"a", "b"}) {
        add(Category::llm, Phase::start, call, 0.1);
        if (*call == 'a') add(Category::llm, Phase::chunk, call, 0.25);
        add(Category::llm, Phase::end, call, 0.5).usage_info =
            event::UsageInfo{.token_usage = {.prompt_tokens = 10, .completion_tokens = 4}};
    }
    add(Category::workflow, Phase::end, "w", 1);
    return steps;
}

asio::awaitable<void> answer_locally(const CallInput& input, Deadline, Answer& answer) {
    const std::string& question = input.messages.back().text;
    if (question == "bad") answer.fail_with(ErrorCode::internal, "no");
    if (question == "slow") co_await net::sleep_for(std::chrono::hours(1));
    if (question == "polite") {  // makes an error of its cancellation
        boost::system::error_code error;
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        answer.fail_with(ErrorCode::cancelled, "cancelled");
    }
    take_steps(agent_steps(), 500, input.session < 2, answer);
}

std::vector<SessionRecord> run_locally(LoadPlan plan, const ScriptBook& book) {
    std::vector<SessionRecord> sessions;
    EXPECT_TRUE(
        run_load(plan, book, make_local_target(answer_locally), {.on_progress = {}, .on_records = [&](std::vector<SessionRecord> more) {
                                                                     sessions.insert(sessions.end(), more.begin(), more.end());
                                                                 }}));
    return sessions;
}

TEST(LocalTarget, RunsAnAgentOfThisProcess) {
    LoadPlan plan;
    plan.max_sessions = 4;
    const auto sessions = run_locally(plan, questions({"a", "bad"}));
    ASSERT_EQ(sessions.size(), 4u);
    const CallRecord& call = sessions[0].calls.at(0);
    EXPECT_FALSE(call.error);
    EXPECT_EQ(call.first - call.start, 250'000'000);
    EXPECT_EQ(call.prompt_tokens, 20);
    EXPECT_EQ(call.tokens(), 8);
    EXPECT_EQ(sessions[1].calls.at(0).error->code, ErrorCode::internal);

    // The steps of the first sessions are in the trace, the others are none.
    TemporaryFolder folder;
    const ScriptBook book = questions({"a"});
    auto files = RunFiles::open(folder.path(), book, "model", 2).value();
    files.add(sessions);
    EXPECT_EQ(files.untraced(), 2u);
    ASSERT_TRUE(files.finish(LoadStats(plan), nullptr));
    const auto traces = event::parse_traces(load_file(folder.path() / kTracesJson).value()).value();
    ASSERT_EQ(traces.sessions.size(), 2u);
    EXPECT_EQ(traces.sessions[0].steps.size(), agent_steps().size());
    EXPECT_EQ(traces.sessions[1].request_number, 1);
}

TEST(LocalTarget, EndsAtItsDeadline) {
    for (const char* question : {"slow", "polite"}) {
        LoadPlan plan;
        plan.max_sessions = 1;
        plan.call_timeout = milliseconds(30);
        EXPECT_EQ(run_locally(plan, questions({question})).at(0).calls.at(0).error->code, ErrorCode::timeout) << question;
        plan.call_timeout = std::chrono::hours(1);
        plan.duration = milliseconds(50);
        plan.drain = milliseconds(0);
        EXPECT_TRUE(run_locally(plan, questions({question})).at(0).unfinished) << question;
    }
}

// Spans of one recorded session: two searches at once, each with a tool and a call, then a call that joins them.
event::SessionTrace recorded() {
    event::SessionTrace trace;
    const auto span = [&](event::Category category, const char* id, const char* parent, double start, double end) {
        for (const auto phase : {event::Phase::start, event::Phase::end}) {
            event::Step step;
            step.parent_id = parent;
            step.payload.event_type = {category, phase};
            step.payload.event_timestamp = 1000 + (phase == event::Phase::start ? start : end);
            step.payload.name = id;
            step.payload.uuid = id;
            if (category == event::Category::llm && phase == event::Phase::start)
                step.payload.data = event::StepData{.input = json::value(id)};
            trace.steps.push_back(std::move(step));
        }
    };
    using event::Category;
    span(Category::workflow, "w", "root", 0, 1);
    span(Category::llm, "plan", "w", 0.1, 0.2);
    span(Category::function, "left", "w", 0.2, 0.6);
    span(Category::tool, "search_left", "left", 0.2, 0.4);
    span(Category::llm, "sum_left", "left", 0.4, 0.6);
    span(Category::function, "right", "w", 0.25, 0.5);
    span(Category::llm, "sum_right", "right", 0.3, 0.5);
    span(Category::llm, "join", "w", 0.7, 0.9);
    return trace;
}

Result<Replay> make_replay(const std::vector<event::SessionTrace>& traces, double speed) {
    ReplayMaker maker({.speed = speed});
    for (const auto& trace : traces) maker.add(trace);
    return maker.finish();
}

const ScriptStep& step_named(const Script& script, std::string_view name) {
    return *std::ranges::find_if(script.steps, [&](const ScriptStep& step) { return step.name == name; });
}

// Names of the calls that must have ended before a step begins.
std::set<std::string> calls_before(const Script& script, const ScriptStep& step) {
    std::set<std::string> out;
    for (const int before : step.after) {
        const ScriptStep& earlier = script.steps[static_cast<std::size_t>(before)];
        if (earlier.kind == ScriptStep::Kind::call) out.insert(earlier.name);
        out.merge(calls_before(script, earlier));
    }
    return out;
}

TEST(Replay, ForksAndJoinsByTheParents) {
    const auto replay = make_replay({recorded(), {}}, 2).value();
    EXPECT_EQ(replay.without_call, 1u);
    const Script& script = replay.book.at(0);
    EXPECT_FALSE(script.is_chain());
    for (std::size_t i = 0; i < script.steps.size(); ++i)
        for (const int before : script.steps[i].after) EXPECT_LT(before, static_cast<int>(i));
    EXPECT_EQ(calls_before(script, step_named(script, "sum_left")), std::set<std::string>{"plan"});
    EXPECT_EQ(calls_before(script, step_named(script, "sum_right")), std::set<std::string>{"plan"});
    EXPECT_EQ(calls_before(script, step_named(script, "join")), (std::set<std::string>{"plan", "sum_left", "sum_right"}));
    EXPECT_NEAR(to_seconds(step_named(script, "search_left").duration), 0.1, 1e-6);  // 0.2 s at twice the speed
    EXPECT_NEAR(to_seconds(step_named(script, "join").delay), 0.05, 1e-6);
    EXPECT_EQ(step_named(script, "join").messages.at(0).text, "join");
    EXPECT_EQ(make_replay({}, 1).error().code, ErrorCode::not_found);
}

TEST(Replay, StartsAsTheSessionsDid) {
    std::vector<event::SessionTrace> traces(3, recorded());
    const double offsets[] = {3, 0, 1};
    for (std::size_t i = 0; i < traces.size(); ++i) {
        traces[i].request_number = static_cast<std::int64_t>(i);
        for (auto& step : traces[i].steps) {
            step.payload.event_timestamp += offsets[i];
            if (step.payload.data) step.payload.data->input = json::value(std::to_string(i));
        }
    }
    const auto replay = make_replay(traces, 2).value();
    EXPECT_EQ(replay.starts, (std::vector<Nanoseconds>{milliseconds(0), milliseconds(500), milliseconds(1500)}));
    EXPECT_EQ(step_named(replay.book[0], "plan").messages.at(0).text, "1");
    EXPECT_EQ(step_named(replay.book[2], "plan").messages.at(0).text, "0");
}

// Lengths count where the words are not recorded, and the answer's length always does.
TEST_F(LoadRun, ReplaysLengthsAndModels) {
    auto trace = recorded();
    for (auto& step : trace.steps) {
        step.payload.data.reset();
        if (step.payload.event_type.phase != event::Phase::end || step.payload.name != "plan") continue;
        step.payload.usage_info.emplace();
        step.payload.usage_info->token_usage = {.prompt_tokens = 50, .completion_tokens = 7};
    }
    const auto replay = make_replay({trace}, 100).value();
    EXPECT_EQ(replay.made_up, 4u);
    EXPECT_EQ(replay.unknown_length, 3u);
    LoadPlan plan;
    plan.max_sessions = 1;
    run(plan, replay.book);
    ASSERT_EQ(server_.bodies.size(), 4u);
    const auto body = parse_json(server_.bodies.front()).value();
    EXPECT_EQ(get_string(body, "model"), "plan");
    EXPECT_EQ(get_int(body, "max_tokens"), 7);
    EXPECT_EQ(body.at("ignore_eos"), true);
    const std::string text(body.at("messages").at(0).at("content").as_string());
    EXPECT_EQ(std::ranges::count(text, ' '), 49);
    EXPECT_FALSE(find(parse_json(server_.bodies.back()).value(), "ignore_eos"));  // of unknown length
}

TEST_F(LoadRun, ReplaysARecordedSession) {
    LoadPlan plan;
    plan.max_sessions = 3;
    plan.users = 3;
    const auto replay = make_replay({recorded()}, 20).value();
    const auto ran = run(plan, replay.book);
    ASSERT_EQ(ran.sessions.size(), 3u);
    for (const auto& session : ran.sessions) {
        ASSERT_EQ(session.calls.size(), 4u);
        EXPECT_EQ(replay.book[0].steps[static_cast<std::size_t>(session.calls.back().step)].name, "join");
        EXPECT_GE(session.end - session.start, 20'000'000);  // its waits alone
    }
}

TEST_F(LoadRun, AReplayedForkIsCancelledAsAWhole) {
    auto trace = recorded();
    for (auto& step : trace.steps)
        if (step.payload.data && step.payload.name->starts_with("sum_")) step.payload.data->input = json::value("hang");
    LoadPlan plan;
    plan.users = 2;
    plan.duration = milliseconds(150);
    plan.drain = milliseconds(0);
    const auto replay = make_replay({trace}, 50).value();
    const auto ran = run(plan, replay.book);
    ASSERT_EQ(ran.sessions.size(), 2u);
    for (const auto& session : ran.sessions) {
        EXPECT_TRUE(session.unfinished);
        EXPECT_EQ(std::ranges::count_if(session.calls, &CallRecord::unfinished), 2);
    }
}

TEST_F(LoadRun, FilesOfARun) {
    TemporaryFolder folder;
    LoadPlan plan;
    plan.max_sessions = 5;
    const auto book = questions({"a, \"b\"", "500"});
    auto files = RunFiles::open(folder.path(), book, "model", 3).value();
    LoadStats stats(plan);
    files.set_wall_start(1000);
    const auto ran = run(plan, book);
    for (const auto& session : ran.sessions) stats.add(session);
    files.add(ran.sessions);
    EXPECT_EQ(files.untraced(), 2u);
    stats.finish(ran.outcome);
    const SummaryInput summary{
        .plan = plan, .outcome = ran.outcome, .stats = stats, .target = "t", .honesty = {}, .thresholds = {}, .findings = {}};
    ASSERT_TRUE(files.finish(stats, summary_json(summary)));
    const auto csv = load_file(folder.path() / kRequestsCsv).value();
    EXPECT_EQ(std::ranges::count(csv, '\n'), 6);
    EXPECT_THAT(csv, testing::HasSubstr("http 500,HTTP 500: broken"));
    const auto traces = event::parse_traces(load_file(folder.path() / kTracesJson).value()).value();
    EXPECT_EQ(traces.sessions.size(), 3u);
    EXPECT_TRUE(traces.skipped.empty());
    EXPECT_TRUE(make_replay(traces.sessions, 1));
    for (std::size_t i = 0; i < traces.sessions.size(); ++i)
        for (const event::Step& step : traces.sessions[i].steps) {
            if (step.payload.event_type.phase != event::Phase::start) continue;
            const bool call = step.payload.event_type.category == event::Category::llm;
            const auto& session = ran.sessions[i];
            const double waited =
                1e-9 * static_cast<double>(call ? session.calls[0].start - session.calls[0].intended : session.start - session.intended);
            EXPECT_NEAR(step.payload.event_timestamp - get_number(step.payload.metadata, "intended_start").value_or(0), waited, 1e-6);
        }
    const auto json_summary = parse_json(load_file(folder.path() / kSummaryJson).value()).value();
    EXPECT_EQ(get_int(json_summary, "calls"), 5);
    EXPECT_EQ(get_int(json_summary, "failed"), 2);
    EXPECT_THAT(summary_text(summary), testing::HasSubstr("http 500"));
}

TEST(Inputs, Shapes) {
    EXPECT_EQ(parse_inputs("one\r\n\ntwo\n").value().size(), 2u);
    const auto list = parse_inputs(R"( ["a", ["b", "c"], {"id": 1, "question": "d"}, {"turns": ["e", "f"]}])").value();
    ASSERT_EQ(list.size(), 4u);
    EXPECT_EQ(list[1].size(), 2u);
    EXPECT_EQ(list[2][0], "d");
    const auto lines = parse_inputs("{\"question\": \"a\"}\n\n{\"turns\": [\"b\", \"c\"]}\n").value();
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[1].size(), 2u);
    for (const char* bad : {"", "\n\n", "{\"data\": [\"a\"]}", "{\n  \"question\": \"a\"\n}", "{\"question\": \"a\"}\nb", "[]", "[1]",
                            "[[]]", "[{\"a\": 1}]", "[\"a\"", "[{\"turns\": [1]}]"})
        EXPECT_EQ(parse_inputs(bad).error().code, ErrorCode::parse) << bad;
}

}  // namespace
}  // namespace plimsoll::load
