#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <stdexcept>

#include "base/files.h"
#include "event/session.h"
#include "event/span.h"
#include "event/step.h"
#include "event/trace.h"

namespace plimsoll::event {
namespace {

using testing::ElementsAre;

std::string golden_trace() {
    const auto text = load_file(PLIMSOLL_SOURCE_DIR "/tests/goldens/nat/research_8_c1/out/all_requests_profiler_traces.json");
    return text.value_or("");
}

TEST(Trace, NatsTraceSurvivesTheRoundTrip) {
    const std::string text = golden_trace();
    const auto file = parse_traces(text);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_TRUE(file->skipped.empty());
    EXPECT_EQ(file->sessions.size(), 8u);
    EXPECT_TRUE(to_json(file->sessions) == *parse_json(text));  // no EXPECT_EQ: a difference would print megabytes
}

TEST(Trace, NatsSpansPairCompletely) {
    const auto file = parse_traces(golden_trace());
    ASSERT_TRUE(file);
    for (const auto& session : file->sessions) {
        const SpanList list = pair_spans(session.steps);
        EXPECT_EQ(list.orphans, 0u);
        EXPECT_FALSE(list.spans.empty());
        for (const Span& span : list.spans) {
            EXPECT_TRUE(span.finished) << span.name;
            EXPECT_GE(span.end, span.start) << span.name;
        }
    }
}

TEST(Trace, KeepsUnknownKeys) {
    const auto value = parse_json(R"({"parent_id": "root",
        "function_ancestry": {"function_id": "f", "function_name": "g", "parent_id": null, "parent_name": null},
        "payload": {"event_type": "SPAN_CHUNK", "event_timestamp": 1.5, "span_event_timestamp": null, "framework": null, "name": "n",
            "tags": ["t"], "metadata": null, "data": {"input": 1, "output": null, "chunk": "c", "payload": null, "more": [2]},
            "usage_info": null, "UUID": "u", "new_in_nat_2": {"x": true}}})");
    const auto step = parse_step(*value);
    ASSERT_TRUE(step);
    EXPECT_EQ(to_json(*step), *value);
}

TEST(Trace, TruncatedOrGarbageTextIsAParseError) {
    const std::string text = golden_trace().substr(0, 20'000);
    for (std::size_t length : {0u, 1u, 100u, 9'999u, 20'000u}) {
        const auto file = parse_traces(std::string_view(text).substr(0, length));
        ASSERT_FALSE(file) << length;
        EXPECT_EQ(file.error().code, ErrorCode::parse);
    }
    for (const char* garbage : {"{}", "3", "null", "\xff\xfe", "[[[["}) EXPECT_FALSE(parse_traces(garbage)) << garbage;
}

// Sums and differences of what a trace says must stay in range, whatever it says.
TEST(Trace, TimesAndCountsOutOfAnyRangeAreNotTaken) {
    const auto file = parse_traces(R"([{"intermediate_steps": [
        {"payload": {"event_type": "LLM_START", "event_timestamp": 1e300, "UUID": "a"}},
        {"payload": {"event_type": "LLM_START", "event_timestamp": -1e300, "UUID": "a"}},
        {"payload": {"event_type": "LLM_START", "event_timestamp": 1e999, "UUID": "a"}},
        {"payload": {"event_type": "LLM_END", "event_timestamp": 1, "span_event_timestamp": 1e300, "UUID": "a", "usage_info": {
            "num_llm_calls": 9223372036854775807,
            "token_usage": {"prompt_tokens": 9223372036854775807,
            "completion_tokens": -5, "total_tokens": 1e300, "cached_tokens": 3}}}}]}])");
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->sessions[0].steps.size(), 1u);
    const Payload& end = file->sessions[0].steps[0].payload;
    EXPECT_EQ(end.span_event_timestamp, std::nullopt);
    EXPECT_EQ(end.usage_info->num_llm_calls, 0);
    EXPECT_EQ(end.usage_info->token_usage.prompt_tokens, 0);
    EXPECT_EQ(end.usage_info->token_usage.completion_tokens, 0);
    EXPECT_EQ(end.usage_info->token_usage.total_tokens, 0);
    EXPECT_EQ(end.usage_info->token_usage.cached_tokens, 3);
    EXPECT_EQ(file->skipped.count(), 3u);
}

TEST(Trace, QueueingIsNotedOnce) {
    const auto start_of = [](json::value metadata) {
        SessionTrace trace{0, std::vector<Step>(2)};
        trace.steps[0].payload.event_type = {Category::llm, Phase::start};
        trace.steps[1].payload.event_type = {Category::workflow, Phase::start};
        trace.steps[1].payload.event_timestamp = 100;
        trace.steps[1].payload.metadata = std::move(metadata);
        return trace;
    };
    const auto noted = [&](json::value metadata, double seconds) {
        SessionTrace trace = start_of(std::move(metadata));
        note_queueing(trace, seconds);
        EXPECT_TRUE(trace.steps[0].payload.metadata.is_null());
        return trace.steps[1].payload.metadata;
    };
    EXPECT_EQ(noted(nullptr, 5), (json::value{{"intended_start", 95.0}}));
    EXPECT_EQ(noted({{"provided_metadata", {{"k", 1}}}}, 0.5), (json::value{{"provided_metadata", {{"k", 1}}}, {"intended_start", 99.5}}));
    for (const json::value& said :
         {json::value{{"intended_start", 7}}, json::value{{"provided_metadata", {{"intended_start", 7}}}}, json::value("text")})
        EXPECT_EQ(noted(said, 5), said);
    for (const double seconds : {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
        EXPECT_EQ(noted(nullptr, seconds), json::value());
    SessionTrace empty;
    note_queueing(empty, 5);
}

TEST(Trace, SkipReportsAreBounded) {
    SkipReport many;
    for (int i = 0; i < 1000; ++i) many.add("reason " + std::to_string(i), "place");
    EXPECT_EQ(many.count(), 1000u);
    EXPECT_EQ(many.reasons().size(), SkipReport::kMaxReasons + 1);
    SkipReport twice;
    for (int i = 0; i < 10; ++i) twice.add("same", std::to_string(i));
    SkipReport all;
    all.add(twice, "a: ");
    all.add(twice, "b: ");
    EXPECT_EQ(all.count(), 20u);
    EXPECT_THAT(all.reasons().at("same").places, ElementsAre("a: 0", "a: 1", "a: 2"));
}

TEST(Trace, ABadStepCostsOnlyItself) {
    const auto file = parse_traces(R"([{"request_number": 4, "intermediate_steps": [
        {"payload": {"event_type": "LLM_START", "event_timestamp": 1, "UUID": "a"}},
        {"payload": {"event_type": "NOVEL", "event_timestamp": 1, "UUID": "b"}},
        {"payload": {"event_type": "LLM_END", "UUID": "a"}},
        {"payload": {"event_type": "LLM_END", "event_timestamp": 2, "UUID": 7}},
        {"payload": []}, {}, null]},
        {"request_number": 5}, "x"])");
    ASSERT_TRUE(file);
    ASSERT_EQ(file->sessions.size(), 1u);
    EXPECT_EQ(file->sessions[0].request_number, 4);
    EXPECT_EQ(file->sessions[0].steps.size(), 1u);
    EXPECT_EQ(file->skipped.count(), 8u);
    EXPECT_EQ(file->skipped.reasons().at("no intermediate_steps").count, 2u);
}

TEST(EventType, EveryNameReadsBack) {
    for (const char* name :
         {"LLM_START", "LLM_NEW_TOKEN", "LLM_END", "TOOL_START", "TOOL_END", "WORKFLOW_START", "WORKFLOW_END", "TASK_START", "TASK_END",
          "TTC_START", "TTC_END", "FUNCTION_START", "FUNCTION_END", "CUSTOM_START", "CUSTOM_END", "SPAN_START", "SPAN_CHUNK", "SPAN_END"}) {
        const auto type = parse_event_type(name);
        ASSERT_TRUE(type) << name;
        EXPECT_EQ(to_string(*type), name);
    }
    EXPECT_FALSE(parse_event_type("llm_start"));
    EXPECT_FALSE(parse_event_type(""));
}

Step make_step(std::string_view type, std::string uuid, double time) {
    Step step;
    step.payload.event_type = *parse_event_type(type);
    step.payload.uuid = std::move(uuid);
    step.payload.event_timestamp = time;
    return step;
}

TEST(Spans, OverlappingCallsPairById) {
    const std::vector<Step> steps = {make_step("LLM_START", "a", 1),     make_step("LLM_START", "b", 2),
                                     make_step("LLM_NEW_TOKEN", "a", 3), make_step("LLM_NEW_TOKEN", "b", 3.5),
                                     make_step("LLM_NEW_TOKEN", "a", 4), make_step("LLM_END", "a", 5),
                                     make_step("LLM_END", "b", 6)};
    const SpanList list = pair_spans(steps);
    ASSERT_EQ(list.spans.size(), 2u);
    EXPECT_EQ(list.orphans, 0u);
    EXPECT_EQ(list.spans[0].uuid, "a");
    EXPECT_EQ(list.spans[0].end, 5);
    EXPECT_THAT(list.spans[0].token_times, ElementsAre(3, 4));
    EXPECT_EQ(list.spans[1].end, 6);
    EXPECT_EQ(list.spans[1].ttft(), 1.5);
}

TEST(Spans, OrphansAndUnfinishedCalls) {
    Step remote = make_step("TOOL_END", "r", 9);
    remote.payload.span_event_timestamp = 0.5;
    const std::vector<Step> steps = {make_step("TOOL_START", "open", 1), make_step("TOOL_END", "lost", 2),
                                     make_step("LLM_NEW_TOKEN", "lost", 3), remote};
    const SpanList list = pair_spans(steps);
    ASSERT_EQ(list.spans.size(), 2u);
    EXPECT_EQ(list.orphans, 2u);
    EXPECT_EQ(list.spans[0].uuid, "r");  // by start time
    EXPECT_EQ(list.spans[0].duration(), 8.5);
    EXPECT_FALSE(list.spans[1].finished);
    EXPECT_EQ(list.spans[1].duration(), 0);
    EXPECT_FALSE(list.spans[1].ttft());
    EXPECT_TRUE(pair_spans({}).spans.empty());
}

TEST(Spans, AnIdUsedAgainIsANewCall) {
    const std::vector<Step> steps = {make_step("TOOL_START", "a", 1), make_step("TOOL_END", "a", 2), make_step("TOOL_START", "a", 3),
                                     make_step("TOOL_END", "a", 4)};
    const SpanList list = pair_spans(steps);
    ASSERT_EQ(list.spans.size(), 2u);
    EXPECT_EQ(list.spans[1].start, 3);
    EXPECT_EQ(list.spans[1].end, 4);
}

class CountingSink : public StepSink {
  public:
    void on_step(const Session&, const Step&) override { ++steps; }
    void on_session_end(const Session&, const Error* error) override {
        ++ends;
        failed = error != nullptr;
    }
    int steps = 0;
    int ends = 0;
    bool failed = false;
};

std::shared_ptr<Session> make_session(std::vector<StepSink*> sinks = {}, bool keep_steps = true) {
    return Session::make({}, std::move(sinks), [now = 0.0]() mutable { return now += 1; }, 7, keep_steps);
}

TEST(Session, FeedsItsSinksAndEndsOnce) {
    CountingSink sink;
    const auto session = make_session({&sink}, false);
    {
        ScopedSpan span(session->root(), Category::tool, "t", "in");
        span.set_output("out");
        span.end();
        span.end();
        span.fail({ErrorCode::io, "too late"});
    }
    const Error error{ErrorCode::timeout, "late"};
    session->finish(&error);
    session->finish(nullptr);
    EXPECT_EQ(sink.steps, 2);
    EXPECT_EQ(sink.ends, 1);
    EXPECT_TRUE(sink.failed);
    EXPECT_TRUE(session->steps().empty());
}

TEST(Session, TheSameSeedMakesTheSameIds) {
    EXPECT_EQ(make_session()->info().trace_id, make_session()->info().trace_id);
    EXPECT_EQ(make_session()->new_id(), make_session()->new_id());
}

TEST(ScopedSpan, ParentsArePassedDownNotStacked) {
    const auto session = make_session();
    ScopedSpan function(session->root(), Category::function, "f", nullptr);
    ScopedSpan left(function.context(), Category::llm, "left", nullptr);
    ScopedSpan right(function.context(), Category::llm, "right", nullptr);
    left.chunk("x");
    left.end();
    right.end();
    function.end();
    const auto spans = pair_spans(session->steps()).spans;
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[1].parent_id, function.id());
    EXPECT_EQ(spans[2].parent_id, function.id());
    EXPECT_EQ(spans[2].function.function_name, "f");
    EXPECT_EQ(spans[0].function.parent_name, "root");
    EXPECT_EQ(spans[1].token_times.size(), 1u);
}

TEST(ScopedSpan, OneLeftBehindIsClosedAsCancelled) {
    const auto session = make_session();
    {
        ScopedSpan span(session->root(), Category::llm, "m", "prompt");
    }
    ASSERT_EQ(session->steps().size(), 2u);
    EXPECT_EQ(step_error(session->steps()[1])->code, ErrorCode::cancelled);
    EXPECT_EQ(session->steps()[1].payload.span_event_timestamp, session->steps()[0].payload.event_timestamp);
}

TEST(ScopedSpan, AnExceptionIsNoted) {
    const auto session = make_session();
    try {
        ScopedSpan span(session->root(), Category::llm, "m", "prompt");
        try {
            throw std::runtime_error("broken pipe");
        } catch (const std::exception& error) {
            span.note_exception(error.what());
            throw;
        }
    } catch (const std::runtime_error&) {
        ASSERT_EQ(session->steps().size(), 2u);
    }
    const auto error = step_error(session->steps()[1]);
    EXPECT_EQ(error->code, ErrorCode::internal);
    EXPECT_EQ(error->message, "broken pipe");
}

TEST(ScopedSpan, WritesAreReadableAsNatsSteps) {
    const auto session = make_session();
    {
        ScopedSpan span(session->root(), Category::llm, "m", "prompt",
                        {.metadata = {{"k", 1}}, .start_usage = UsageInfo{.num_llm_calls = 1}});
        span.set_usage({.token_usage = {.prompt_tokens = 3, .completion_tokens = 2, .total_tokens = 5}});
        span.set_output("text");
        span.end();
    }
    for (const Step& step : session->steps()) {
        const auto back = parse_step(to_json(step));
        ASSERT_TRUE(back);
        EXPECT_EQ(to_json(*back), to_json(step));
    }
    EXPECT_EQ(pair_spans(session->steps()).spans[0].usage.total_tokens, 5);
}

}  // namespace
}  // namespace plimsoll::event
