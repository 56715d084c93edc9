#include "record/trace_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/files.h"
#include "event/span.h"
#include "record/event_log.h"
#include "record/otlp.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;
using event::Category;
using testing::ElementsAre;
using testing::IsEmpty;

const fs::path kTests = fs::path(PLIMSOLL_SOURCE_DIR) / "tests";

ReadTraces parse(std::string_view bytes) { return parse_trace_file(bytes).value(); }
std::string sample(const std::string& name) { return load_file(kTests / "data/otlp" / name).value(); }
std::string nat_golden() { return load_file(kTests / "goldens/nat/research_8_c1/out/all_requests_profiler_traces.json").value(); }

std::size_t count_of(const ReadTraces& traces, const std::string& reason) {
    const auto found = traces.skipped.reasons().find(reason);
    return found == traces.skipped.reasons().end() ? 0 : found->second.count;
}

// "LLM nim-8b 0.25..1.5 <clock>": category, name, times after the session's start, and the name of the parent.
std::vector<std::string> calls(const event::SessionTrace& session) {
    const auto list = event::pair_spans(session.steps);
    std::vector<std::string> out;
    for (const auto& span : list.spans) {
        std::string parent = span.parent_id;
        for (const auto& other : list.spans)
            if (other.uuid == span.parent_id) parent = other.name;
        const double origin = list.spans.front().start;
        out.push_back(fmt::format("{} {} {:.3g}..{:.3g} <{}>", event::to_string(span.category), span.name, span.start - origin,
                                  span.end - origin, parent));
    }
    return out;
}

const event::Span& find_call(const event::SpanList& list, Category category) {
    const auto found = std::ranges::find(list.spans, category, &event::Span::category);
    PLIMSOLL_CHECK(found != list.spans.end(), "no such call");
    return *found;
}

TEST(TraceFile, NatsTracesAndItsWorkflowOutput) {
    const ReadTraces traces = parse(nat_golden());
    EXPECT_EQ(traces.kind, TraceKind::nat_traces);
    EXPECT_TRUE(traces.skipped.empty());
    EXPECT_TRUE(event::to_json(traces.sessions) == *parse_json(nat_golden()));
    const auto folder = read_trace_file(kTests / "goldens/nat/research_8_c1/out");
    ASSERT_TRUE(folder) << folder.error().message;
    EXPECT_EQ(folder->sessions.size(), 8u);
    const ReadTraces rows = parse(R"([{"id": 7, "question": "q", "intermediate_steps": [
        {"parent_id": "root", "payload": {"event_type": "LLM_END", "event_timestamp": 2.5, "span_event_timestamp": 1, "UUID": "u"}}]},
        {"id": 8, "intermediate_steps": []}, {"id": 9}])");
    ASSERT_EQ(rows.sessions.size(), 2u);
    EXPECT_THAT(calls(rows.sessions[0]), ElementsAre("LLM  0..1.5 <root>"));
    EXPECT_EQ(rows.skipped.count(), 1u);
}

TEST(TraceFile, AnEmptyArrayIsARunWithoutItems) {
    TemporaryFolder folder;
    const auto read = [&](std::string_view text) {
        EXPECT_TRUE(save_file(folder.path() / "run.json", text));
        return read_trace_file(folder.path() / "run.json");
    };
    for (const char* text : {"[]", " [ ]\n"}) {
        const auto traces = read(text);
        ASSERT_TRUE(traces.has_value()) << text;
        EXPECT_EQ(traces->kind, TraceKind::nat_traces);
        EXPECT_THAT(traces->sessions, IsEmpty());
    }
    for (const char* text : {" ", "[", "{}", "[{}]", "]"}) EXPECT_FALSE(read(text).has_value()) << text;
}

TEST(TraceFile, EventLogKeepsSessionsInFlight) {
    std::string log = "{\"t\":\"run\",\"version\":1,\"run_id\":\"r\",\"seed\":\"1\",\"started\":1}\n";
    for (int session : {0, 1})
        log += fmt::format(
            "{{\"t\":\"begin\",\"session\":{0},\"item\":{0}}}\n{{\"t\":\"step\",\"session\":{0},\"step\":{{\"parent_id\":\"root\","
            "\"payload\":{{\"event_type\":\"WORKFLOW_START\",\"event_timestamp\":{0},\"UUID\":\"u\",\"data\":{{\"output\":"
            "{{\"intermediate_steps\":1}}}}}}}}}}\n",
            session);
    log += to_compact_json(to_json(0, SessionEnd{}, 0)) + "\ngarbage\n{\"t\":\"st";
    const ReadTraces traces = parse(log);
    EXPECT_EQ(traces.kind, TraceKind::event_log);
    EXPECT_EQ(traces.sessions.size(), 2u);
    EXPECT_EQ(count_of(traces, "damaged line"), 1u);
    EXPECT_EQ(count_of(traces, "last line cut off"), 1u);
    EXPECT_EQ(traces.skipped.count(), 3u);
}

TEST(TraceFile, EventLogSaysHowLongASessionWaitedAndWhereItIsDamaged) {
    const std::string log =
        "{\"t\":\"run\",\"version\":1,\"seed\":\"1\"}\n{\"t\":\"begin\",\"session\":0}\n{\"t\":\"step\",\"session\":0,\"step\":"
        "{\"parent_id\":\"root\",\"payload\":{\"event_type\":\"WORKFLOW_START\",\"event_timestamp\":500,\"UUID\":\"u\"}}}\n"
        "damage\n" +
        to_compact_json(to_json(0, SessionEnd{.intended_start = 95, .start = 100, .end = 101}, 0));
    const ReadTraces traces = parse(log);
    ASSERT_EQ(traces.sessions.size(), 1u);
    // By the difference of this machine's times: the steps may have another machine's.
    EXPECT_EQ(traces.sessions[0].steps.at(0).payload.metadata, (json::value{{"intended_start", 495.0}}));
    EXPECT_THAT(traces.skipped.reasons().at("damaged line").places, ElementsAre("line 4"));
    EXPECT_EQ(traces.skipped.count(), 1u);
}

TEST(TraceFile, StepsOfInterleavedSessions) {
    const auto step = [](const char* type, const char* uuid, const char* parent) {
        return fmt::format("{{\"parent_id\":\"{}\",\"payload\":{{\"event_type\":\"{}\",\"event_timestamp\":1,\"UUID\":\"{}\"}}}}\n", parent,
                           type, uuid);
    };
    const ReadTraces traces =
        parse(step("WORKFLOW_START", "a", "root") + step("WORKFLOW_START", "b", "root") + step("LLM_START", "c", "a") +
              step("LLM_END", "c", "a") + step("WORKFLOW_END", "b", "root") + step("WORKFLOW_END", "a", "root"));
    EXPECT_EQ(traces.kind, TraceKind::steps);
    ASSERT_EQ(traces.sessions.size(), 2u);
    EXPECT_EQ(traces.sessions[0].steps.size(), 4u);
    EXPECT_EQ(traces.sessions[1].steps.size(), 2u);
}

TEST(TraceFile, NatsOtlpDialectSplitsATraceByRun) {
    const ReadTraces traces = parse(sample("nat_two_runs.json"));
    EXPECT_EQ(traces.kind, TraceKind::otlp_json);
    EXPECT_TRUE(traces.skipped.empty()) << event::to_json(traces.skipped);
    ASSERT_EQ(traces.sessions.size(), 2u);
    for (const auto& session : traces.sessions)
        EXPECT_THAT(calls(session), ElementsAre("WORKFLOW tool_calling_agent 0..2.12 <root>",
                                                "FUNCTION <workflow> 0.125..2 <tool_calling_agent>", "LLM nim-8b 0.25..1.5 <<workflow>>",
                                                "TOOL clock 1.55..1.85 <<workflow>>", "FUNCTION clock 1.6..1.8 <clock>"));
    const auto list = event::pair_spans(traces.sessions[0].steps);
    const event::Span& llm = find_call(list, Category::llm);
    EXPECT_EQ(llm.usage.prompt_tokens, 11);
    EXPECT_EQ(llm.usage.completion_tokens, 7);
    EXPECT_EQ(llm.usage.total_tokens, 18);
    EXPECT_EQ(llm.function.function_name, "<workflow>");
    EXPECT_EQ(llm.function.function_id, "f-0");
    const auto& start = traces.sessions[0].steps[llm.start_step].payload;
    EXPECT_EQ(start.framework, "langchain");
    EXPECT_EQ(to_compact_json(start.data->input), R"([{"content":"What time is it?","type":"human"}])");
    const auto& end = traces.sessions[0].steps[*llm.end_step].payload;
    EXPECT_EQ(to_compact_json(end.data->output), R"("It is late.")");
    EXPECT_EQ(end.usage_info->num_llm_calls, 1);
    EXPECT_DOUBLE_EQ(start.event_timestamp, 1795388146.25);
}

TEST(TraceFile, OpenInferenceLines) {
    const ReadTraces traces = parse(sample("openinference.jsonl"));
    EXPECT_EQ(count_of(traces, "repeated span"), 1u);
    EXPECT_EQ(traces.skipped.count(), 1u);
    ASSERT_EQ(traces.sessions.size(), 2u);
    EXPECT_THAT(calls(traces.sessions[0]), ElementsAre("WORKFLOW assistant 0..2.25 <root>", "FUNCTION planner 0.25..2 <assistant>",
                                                       "LLM gpt-4o 0.5..1.5 <planner>", "TOOL VectorStore 1.5..1.75 <planner>"));
    const auto list = event::pair_spans(traces.sessions[0].steps);
    const event::Span& llm = find_call(list, Category::llm);
    EXPECT_EQ(llm.usage.cached_tokens, 16);
    EXPECT_EQ(llm.usage.reasoning_tokens, 2);
    EXPECT_DOUBLE_EQ(*llm.ttft(), 0.25);
    EXPECT_EQ(llm.function.function_name, "planner");
    EXPECT_EQ(to_compact_json(traces.sessions[0].steps[llm.start_step].payload.data->input),
              R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Hello?"}])");
    const auto failing = event::pair_spans(traces.sessions[1].steps);
    const event::Span& tool = find_call(failing, Category::tool);
    EXPECT_EQ(tool.name, "web_search");
    ASSERT_TRUE(tool.error);
    EXPECT_EQ(tool.error->code, ErrorCode::connect);
    EXPECT_EQ(tool.error->message, "no route");
}

TEST(TraceFile, GenAiConventionsNewAndOld) {
    const ReadTraces traces = parse(sample("genai.json"));
    EXPECT_TRUE(traces.skipped.empty()) << event::to_json(traces.skipped);
    ASSERT_EQ(traces.sessions.size(), 3u);
    EXPECT_THAT(calls(traces.sessions[0]), ElementsAre("WORKFLOW writer 0..3 <root>", "LLM gpt-4o 0.5..1.5 <writer>",
                                                       "SPAN POST 0.6..1.4 <gpt-4o>", "TOOL save 1.5..2 <writer>"));
    const auto list = event::pair_spans(traces.sessions[0].steps);
    const event::Span& llm = find_call(list, Category::llm);
    EXPECT_EQ(llm.usage.prompt_tokens, 100);
    EXPECT_EQ(llm.usage.cached_tokens, 80);
    EXPECT_EQ(llm.usage.reasoning_tokens, 10);
    EXPECT_EQ(llm.usage.total_tokens, 150);
    EXPECT_DOUBLE_EQ(*llm.ttft(), 0.25);
    EXPECT_THAT(calls(traces.sessions[1]), ElementsAre("WORKFLOW summarise 0..2 <root>", "LLM gpt-4 0.5..1.5 <summarise>"));
    const auto old = event::pair_spans(traces.sessions[1].steps);
    EXPECT_EQ(find_call(old, Category::llm).usage.total_tokens, 36);
    EXPECT_EQ(find_call(old, Category::llm).error->code, ErrorCode::timeout);
    EXPECT_THAT(calls(traces.sessions[2]), ElementsAre("LLM small 0..0.5 <root>", "LLM small 1..1.5 <root>"));
}

std::string with_length(const std::string& message, bool four_bytes) {
    std::string out;
    if (four_bytes) {
        for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(message.size() >> shift & 0xff);
    } else {
        for (std::size_t left = message.size(); left > 0 || out.empty(); left >>= 7)
            out += static_cast<char>((left & 0x7f) | (left >= 0x80 ? 0x80 : 0));
    }
    return out + message;
}

std::string zstd(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

TEST(TraceFile, ProtobufOneRequestDelimitedAndFramed) {
    const std::string llm = load_file(kTests / "goldens/otlp/toolagent_stream_llm_span.bin").value();
    const std::string root = load_file(kTests / "goldens/otlp/toolagent_stream_root_span.bin").value();
    const std::string lines = load_file(kTests / "goldens/otlp/toolagent_stream_llm_span.json").value() + "\n" +
                              load_file(kTests / "goldens/otlp/toolagent_stream_root_span.json").value();
    const json::value expected = event::to_json(parse(lines).sessions);
    EXPECT_EQ(expected.as_array().at(0).at("intermediate_steps").as_array().size(), 4u);
    // Messages one after another are one message in protobuf.
    for (const std::string& bytes :
         {llm + root, with_length(llm, false) + with_length(root, false), with_length(llm, true) + with_length(root, true),
          with_length(zstd(llm), true) + with_length(zstd(root), true), zstd(llm + root)}) {
        const ReadTraces traces = parse(bytes);
        EXPECT_EQ(traces.kind, TraceKind::otlp_protobuf);
        EXPECT_TRUE(traces.skipped.empty()) << event::to_json(traces.skipped);
        EXPECT_EQ(event::to_json(traces.sessions), expected);
    }
}

TEST(TraceFile, ReadsWhatOurExporterWrites) {
    const event::SessionInfo info{.run_id = "run-9", .trace_id = "0af7651916cd43dd8448eb211c80319c"};
    event::Step start;
    start.payload = {.event_type = {Category::llm, event::Phase::start}, .event_timestamp = 5, .name = "m", .uuid = "u"};
    event::Step end = start;
    end.payload.event_type.phase = event::Phase::end;
    end.payload.usage_info = event::UsageInfo{{11, 7, 3, 2, 18}, 1, 4};
    const ReadTraces traces = parse(
        encode_request(make_resource("p", {}), std::array{encode_span(info, {start, &end, 5, 7, 5.5, Error{ErrorCode::limit, "full"}})}));
    ASSERT_EQ(traces.sessions.size(), 1u);
    const auto list = event::pair_spans(traces.sessions[0].steps);
    const event::Span& span = find_call(list, Category::llm);
    EXPECT_DOUBLE_EQ(span.start, 5);
    EXPECT_DOUBLE_EQ(span.end, 7);
    EXPECT_DOUBLE_EQ(*span.ttft(), 0.5);
    EXPECT_EQ(span.usage.cached_tokens, 3);
    EXPECT_EQ(span.error->code, ErrorCode::limit);
    EXPECT_EQ(traces.sessions[0].steps.back().payload.usage_info->seconds_between_calls, 4);
}

TEST(TraceFile, CutAnywhereGivesWhatIsWhole) {
    const std::string nat = nat_golden();
    for (std::size_t tenth = 1; tenth < 10; ++tenth) {
        const auto text = std::string_view(nat).substr(0, nat.size() * tenth / 10);
        std::size_t whole = 0;
        for (std::size_t at = 0; (at = text.find("\n  }", at)) != std::string_view::npos; ++at) ++whole;
        const ReadTraces traces = parse(text);
        EXPECT_EQ(traces.sessions.size(), whole) << tenth;
        EXPECT_FALSE(traces.skipped.empty());
    }
    const std::string request = load_file(kTests / "goldens/otlp/toolagent_stream_llm_span.bin").value() +
                                load_file(kTests / "goldens/otlp/toolagent_stream_root_span.bin").value();
    const std::string json = sample("genai.json");
    for (const std::string& text : {request, json}) {
        std::size_t before = 0;
        for (std::size_t length = 0; length < text.size(); length += 31) {
            std::size_t steps = 0;
            const ReadTraces traces = parse(std::string_view(text).substr(0, length));
            for (const auto& session : traces.sessions) steps += session.steps.size();
            EXPECT_GE(steps, before) << length;
            before = steps;
        }
        EXPECT_GE(before, 2u);
    }
}

TEST(TraceFile, GarbageInTheMiddleCostsOneSession) {
    const std::string nat = nat_golden();
    for (const std::string& garbage : {std::string("\0\xff\x01", 3), std::string("\""), std::string("}}}]"), std::string("{{[[\"")}) {
        std::string text = nat;
        text.replace(text.size() / 2, garbage.size(), garbage);
        const ReadTraces traces = parse(text);
        EXPECT_GE(traces.sessions.size(), 7u) << garbage;
        EXPECT_LE(traces.sessions.size(), 8u) << garbage;
        EXPECT_FALSE(traces.skipped.empty());
    }
    std::string lines = sample("openinference.jsonl");
    lines.replace(lines.find("planner"), 9, "\n\x01\"]]}{");
    const ReadTraces traces = parse(lines);
    EXPECT_EQ(traces.sessions.size(), 2u);
    EXPECT_EQ(count_of(traces, "damaged span"), 1u);
}

TEST(TraceFile, BytesInsertedIntoProtobufCostOneSpan) {
    const event::SessionInfo info{.run_id = "run-9", .trace_id = "0af7651916cd43dd8448eb211c80319c"};
    std::vector<std::string> spans;
    for (int i = 0; i < 20; ++i) {
        event::Step start;
        start.payload = {.event_type = {Category::llm, event::Phase::start}, .event_timestamp = 5, .name = "m", .uuid = std::to_string(i)};
        spans.push_back(encode_span(info, {start, nullptr, 5, 7, {}, {}}));
    }
    std::string bytes = encode_request(make_resource("p", {}), spans);
    bytes.insert(bytes.size() / 2, "some garbage");
    const ReadTraces traces = parse(bytes);
    ASSERT_EQ(traces.sessions.size(), 1u);
    EXPECT_GE(event::pair_spans(traces.sessions[0].steps).spans.size(), 19u);
    EXPECT_FALSE(traces.skipped.empty());
}

TEST(TraceFile, OddSpans) {
    const auto span = [](const std::string& fields) { return fmt::format("{{\"traceId\": \"a1\", {}}}", fields); };
    const std::string text = fmt::format(
        "{{\"resourceSpans\": [{{\"scopeSpans\": [{{\"spans\": [{}, {}, {}, {}, {}, {}, {}, 7, {{}}]}}]}}]}}",
        span(R"("spanId": "01", "parentSpanId": "02", "name": "a", "startTimeUnixNano": 1000000000, "endTimeUnixNano": 500000000)"),
        span(R"("spanId": "02", "parentSpanId": "01", "name": "b", "startTimeUnixNano": "2000000000")"),
        span(R"("spanId": "03", "parentSpanId": "03", "name": "self", "startTimeUnixNano": "3000000000", "attributes": 5, "events": {})"),
        span(R"("spanId": "04", "parentSpanId": "99", "startTimeUnixNano": "18446744073709551615")"),
        span(R"("spanId": "05", "startTimeUnixNano": "99999999999999999999999")"), span(R"("name": "no id", "startTimeUnixNano": "1")"),
        span(
            R"("spanId": "06", "startTimeUnixNano": "4000000000", "endTimeUnixNano": "5000000000", "attributes": [
            {"key": "llm.token_count.prompt",
            "value": {"intValue": "99999999999999999999"}}, {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.output_tokens", "value": {"doubleValue": 1e300}}, {"key": 5}, 6])"));
    const ReadTraces traces = parse(text);
    EXPECT_EQ(count_of(traces, "span without a start time"), 1u);
    EXPECT_EQ(count_of(traces, "span without an id"), 3u);
    ASSERT_EQ(traces.sessions.size(), 1u);
    EXPECT_THAT(calls(traces.sessions[0]), testing::SizeIs(5));
    for (const auto& call : event::pair_spans(traces.sessions[0].steps).spans) {
        EXPECT_GE(call.end, call.start);
        EXPECT_EQ(call.usage.total_tokens, 0);
    }
}

TEST(TraceFile, OfARepeatedSpanTheEndedOneStays) {
    const auto span = [](const char* end) {
        return fmt::format(R"({{"traceId": "a1", "spanId": "b1", "name": "x", "startTimeUnixNano": "1000000000", {}
            "attributes": [{{"key": "metadata", "value": {{"stringValue": "{{\"error\": {{\"code\": \"io\"}}}}"}}}}]}})",
                           end);
    };
    const ReadTraces traces = parse("{\"resourceSpans\": [{\"scopeSpans\": [{\"spans\": [" + span("") + "," +
                                    span("\"endTimeUnixNano\": \"2000000000\",") + "]}]}]}");
    EXPECT_EQ(count_of(traces, "repeated span"), 1u);
    ASSERT_EQ(traces.sessions.size(), 1u);
    const auto list = event::pair_spans(traces.sessions[0].steps);
    ASSERT_EQ(list.spans.size(), 1u);
    EXPECT_TRUE(list.spans[0].finished);
    EXPECT_FALSE(list.spans[0].error.has_value());
}

TEST(TraceFile, WhatIsReadCanBeWrittenAndReadAgain) {
    const std::string deep = std::string(60, '[') + std::string(60, ']');
    const ReadTraces traces = parse(
        R"({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "a1", "spanId": "b1", "startTimeUnixNano": "1000000000",
            "attributes": [{"key": "input.value", "value": {"stringValue": ")" +
        deep + "\"}}]}]}]}]}");
    ASSERT_EQ(traces.sessions.size(), 1u);
    const auto again = event::parse_traces(to_pretty_json(event::to_json(traces.sessions)));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->sessions[0].steps[0].payload.data->input.is_string(), true);
}

TEST(TraceFile, OneErrorForWhatIsNoTrace) {
    const TemporaryFolder folder;
    const auto code = [&](const std::string& name) { return read_trace_file(folder.path() / name).error().code; };
    EXPECT_EQ(code("missing"), ErrorCode::not_found);
    EXPECT_EQ(code(""), ErrorCode::not_found);
    for (const std::string text : {"", "{}", "null", "hello", "\x1f\x8b", "\x28\xb5\x2f\xfd", "\n", "[[[[[[", "{\"resourceSpans\":[]}"}) {
        ASSERT_TRUE(save_file(folder.path() / "file", text));
        EXPECT_EQ(code("file"), ErrorCode::parse) << text;
    }
    ASSERT_TRUE(save_file(folder.path() / "events.jsonl", "damaged"));
    EXPECT_EQ(code(""), ErrorCode::parse);
    ASSERT_TRUE(save_file(folder.path() / "workflow_output.json.zst", zstd("[{\"intermediate_steps\": []}]")));
    EXPECT_EQ(read_trace_file(folder.path())->sessions.size(), 1u);
    EXPECT_EQ(count_of(*read_trace_file(folder.path()), "file without a session"), 1u);
    EXPECT_EQ(parse_trace_file(zstd(std::string(10'000, ' ')), 1000).error().code, ErrorCode::limit);
}

class SeveralFiles : public testing::Test {
  protected:
    std::vector<event::SessionTrace> read(const std::vector<std::string>& files, bool renumber = true) {
        std::vector<event::SessionTrace> sessions;
        TraceReader reader([&](event::SessionTrace session) { sessions.push_back(std::move(session)); }, renumber);
        for (std::size_t i = 0; i < files.size(); ++i) {
            const fs::path path = folder_.path() / fmt::format("{}.json", i);
            EXPECT_TRUE(save_file(path, files[i]));
            EXPECT_TRUE(reader.read(path));
        }
        reader.finish();
        skipped_ = reader.skipped();
        sources_ = reader.sources();
        return sessions;
    }
    TemporaryFolder folder_;
    event::SkipReport skipped_;
    std::vector<TraceSource> sources_;
};

TEST_F(SeveralFiles, AreOneSetOfSessions) {
    const auto joined = read({sample("genai.json"), sample("openinference.jsonl"), nat_golden()});
    ASSERT_EQ(joined.size(), 13u);
    for (std::size_t i = 0; i < 13; ++i) EXPECT_EQ(joined[i].request_number, static_cast<std::int64_t>(i));
    EXPECT_THAT(skipped_.reasons().at("repeated span").places,
                ElementsAre((folder_.path() / "1.json").string() + ": span a000000000000003"));
    EXPECT_EQ(sources_[0].sessions + sources_[1].sessions, 5u);
    EXPECT_EQ(sources_[2].sessions, 8u);
    EXPECT_EQ(read({R"([{"request_number": 4, "intermediate_steps": []}])"}, false)[0].request_number, 4);
}

// A collector starts another file whenever it likes.
TEST_F(SeveralFiles, ATraceSpreadOverTwoIsOneSession) {
    const auto span = [](const char* id, const char* parent, int start) {
        return fmt::format(R"({{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{"traceId": "a1", "spanId": "{}", "parentSpanId": "{}",
            "name": "{}", "startTimeUnixNano": "{}000000000", "endTimeUnixNano": "9000000000"}}]}}]}}]}})",
                           id, parent, id, start);
    };
    const auto sessions = read({span("02", "01", 2), span("01", "", 1), span("02", "01", 2)});
    ASSERT_EQ(sessions.size(), 1u);
    EXPECT_THAT(calls(sessions[0]), ElementsAre("WORKFLOW 01 0..8 <root>", "SPAN 02 1..8 <01>"));
    EXPECT_EQ(skipped_.reasons().at("repeated span").count, 1u);
}

TEST(TraceFile, AnEventLogOfManySessionsIsReadInTheirOrder) {
    std::string log = R"({"t":"run","version":1,"run_id":"r","config_hash":"","dataset_hash":"","seed":"1","started":1})"
                      "\n";
    const auto step = [](int session, int time) {
        event::Step step;
        step.payload = {.event_type = {Category::tool, event::Phase::start}, .event_timestamp = time * 1.0, .name = "t", .uuid = "u"};
        return to_compact_json({{"t", "step"}, {"session", session}, {"step", event::to_json(step)}}) + "\n";
    };
    for (const int session : {2, 0, 1}) log += fmt::format("{{\"t\":\"begin\",\"session\":{},\"item\":null}}\n", session);
    for (int time = 0; time < 3; ++time)
        for (const int session : {1, 2, 0}) log += step(session, time);
    log += R"({"t":"end","session":1,"ok":true})"
           "\n"
           R"({"t":"begin","session":2,"item":null})"
           "\n" +
           step(2, 7);
    const ReadTraces traces = parse(log);
    ASSERT_EQ(traces.sessions.size(), 3u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(traces.sessions[i].request_number, i);
    EXPECT_THAT(calls(traces.sessions[0]), testing::SizeIs(3));
    EXPECT_EQ(traces.sessions[1].steps.back().payload.event_timestamp, 2);
    ASSERT_EQ(traces.sessions[2].steps.size(), 1u);  // what came before the second begin counts no more
    EXPECT_EQ(traces.sessions[2].steps[0].payload.event_timestamp, 7);
    EXPECT_EQ(count_of(traces, "session without an end: it was running when the log stopped; kept"), 2u);
}

}  // namespace
}  // namespace plimsoll::record
