#include "record/otlp.h"

#include <gmock/gmock.h>

#include <map>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "base/files.h"
#include "record/otlp_decoder.h"

namespace plimsoll::record {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::Key;
using testing::Not;

constexpr const char* kUuid = "4b3f2a10-1111-4222-8333-0123456789ab";

event::Step make_step(event::Category category, event::Phase phase) {
    event::Step step;
    step.parent_id = "aaaaaaaa-1111-4222-9444-0123456789ab";
    step.function_ancestry = {"f-1", "<workflow>", "root", "root"};
    step.payload.event_type = {category, phase};
    step.payload.event_timestamp = 1795388146.25;
    step.payload.name = "model-x";
    step.payload.framework = "langchain";
    step.payload.uuid = kUuid;
    step.payload.data = event::StepData{.input = json::array{{{"content", "What time is it?"}}}};
    step.payload.metadata = {{"chat_inputs", nullptr}};
    return step;
}

event::SessionInfo make_session() {
    return {.run_id = "run-9", .trace_id = "0af7651916cd43dd8448eb211c80319c", .conversation_id = "c-1", .user_id = "u-1"};
}

DecodedSpan encode(const OtlpSpan& span, const event::SessionInfo& session = make_session()) {
    return decode_span(encode_span(session, span));
}

// Attribute names of a recorded NAT span of that kind.
std::vector<std::string> recorded_names(const std::string& file) {
    const json::value capture = *parse_json(*load_file(fs::path(PLIMSOLL_SOURCE_DIR) / "tests/goldens/otlp" / file));
    const json::value& span = capture.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").at(0);
    std::vector<std::string> names;
    for (const auto& attribute : span.at("attributes").as_array()) names.emplace_back(attribute.at("key").as_string());
    return names;
}

TEST(Otlp, AnLlmSpanHasEveryNameThatNatWrites) {
    const event::Step start = make_step(event::Category::llm, event::Phase::start);
    event::Step end = make_step(event::Category::llm, event::Phase::end);
    end.payload.data->output = "It is late.";
    end.payload.usage_info = event::UsageInfo{{11, 7, 3, 2, 18}, 1, 0};
    const DecodedSpan span = encode({start, &end, 1795388146.25, 1795388147.5, 1795388146.5, {}});
    EXPECT_EQ(span.trace_id, "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(span.span_id, "83330123456789ab");
    EXPECT_EQ(span.parent_id, "94440123456789ab");
    EXPECT_EQ(span.name, "model-x");
    EXPECT_EQ(span.start, 1795388146'250000000u);
    EXPECT_EQ(span.end, 1795388147'500000000u);
    EXPECT_EQ(span.status, 1);
    for (const std::string& name : recorded_names("toolagent_stream_llm_span.json")) EXPECT_THAT(span.attributes, Contains(Key(name)));
    EXPECT_EQ(span.attributes.at("nat.event_type"), "LLM_START");
    EXPECT_EQ(span.attributes.at("nat.span.kind"), "LLM");
    EXPECT_EQ(span.attributes.at("nat.function.parent_id"), "root");
    EXPECT_EQ(span.attributes.at("openinference.span.kind"), "LLM");
    EXPECT_EQ(span.attributes.at("llm.model_name"), "model-x");
    EXPECT_EQ(span.attributes.at("llm.token_count.prompt"), "11");
    EXPECT_EQ(span.attributes.at("gen_ai.usage.output_tokens"), "7");
    EXPECT_EQ(span.attributes.at("gen_ai.usage.cache_read.input_tokens"), "3");
    EXPECT_EQ(span.attributes.at("gen_ai.server.time_to_first_token"), "0.25");
    EXPECT_EQ(span.attributes.at("gen_ai.response.time_to_first_chunk"), "0.25");
    EXPECT_EQ(span.attributes.at("input.value"), R"([{"content":"What time is it?"}])");
    EXPECT_EQ(span.attributes.at("input.mime_type"), "application/json");
    EXPECT_EQ(span.attributes.at("output.value"), "It is late.");
    EXPECT_EQ(span.attributes.at("output.mime_type"), "text/plain");
    EXPECT_EQ(span.attributes.at("output.value_obj"), "\"It is late.\"");
    EXPECT_EQ(span.attributes.at("session.id"), "c-1");
}

TEST(Otlp, ARootSpanHasNoParentAndTheDisplayName) {
    event::Step start = make_step(event::Category::workflow, event::Phase::start);
    start.parent_id = "root";
    start.payload.metadata = {{"provided_metadata", {{"display_name", "<workflow>"}}}};
    const DecodedSpan span = encode({start, nullptr, 1, 2, {}, Error{ErrorCode::timeout, "too slow"}});
    EXPECT_EQ(span.parent_id, "");
    EXPECT_EQ(span.name, "<workflow>");
    EXPECT_EQ(span.status, 2);
    EXPECT_EQ(span.status_message, "too slow");
    EXPECT_EQ(span.attributes.at("error.type"), "timeout");
    EXPECT_EQ(span.attributes.at("openinference.span.kind"), "CHAIN");
    for (const std::string& name : recorded_names("toolagent_stream_root_span.json"))
        if (!name.starts_with("output.")) EXPECT_THAT(span.attributes, Contains(Key(name)));
    EXPECT_THAT(span.attributes, Not(Contains(Key("output.value"))));
}

TEST(Otlp, SecretsAreMasked) {
    event::Step start = make_step(event::Category::tool, event::Phase::start);
    start.payload.data->input = {{"headers", {{"Authorization", "Bearer abc"}, {"x-api-key", "abc"}}},
                                 {"list", json::array{{{"password", "abc"}}}},
                                 {"max_tokens", 7},
                                 {"token_usage", {{"prompt_tokens", 3}}}};
    start.payload.metadata = {{"cookie", "abc"}};
    const DecodedSpan span = encode({start, nullptr, 1, 2, {}, {}});
    for (const auto& [key, value] : span.attributes) EXPECT_THAT(value, Not(testing::HasSubstr("abc"))) << key;
    EXPECT_THAT(span.attributes.at("input.value"), testing::HasSubstr("\"prompt_tokens\":3"));
    EXPECT_EQ(span.attributes.at("gen_ai.operation.name"), "execute_tool");
}

TEST(Otlp, TextsAreValidAndBounded) {
    event::Step start = make_step(event::Category::tool, event::Phase::start);
    start.payload.data->input = "a\xff\xc3(\xed\xa0\x80z\xf0\x9f\x98\x80";
    std::string large;
    while (large.size() < 2 * kMaxAttributeBytes) large += "\xe2\x82\xac";
    event::Step end = start;
    end.payload.data->output = large;
    const DecodedSpan span = encode({start, &end, 1, 2, {}, {}});
    const std::string bad = "\xef\xbf\xbd";
    EXPECT_EQ(span.attributes.at("input.value"), "a" + bad + bad + "(" + bad + bad + bad + "z\xf0\x9f\x98\x80");
    EXPECT_LT(span.attributes.at("output.value").size(), kMaxAttributeBytes + 64);
    EXPECT_TRUE(span.attributes.at("output.value").starts_with(large.substr(0, kMaxAttributeBytes - 2)));
}

TEST(Otlp, AnEndNeverComesBeforeItsStart) {
    const event::Step start = make_step(event::Category::task, event::Phase::start);
    const DecodedSpan span = encode({start, nullptr, 5, 4, {}, {}});
    EXPECT_EQ(span.end, span.start);
    EXPECT_EQ(encode({start, nullptr, -1, 0, {}, {}}).start, 0u);
}

TEST(Otlp, OtherIdsAreHashed) {
    EXPECT_EQ(span_id_of("l0").size(), 8u);
    EXPECT_NE(span_id_of("l0"), span_id_of("l1"));
    EXPECT_EQ(span_id_of("01a20587-cf2d-7782-bf55-75f9543ea29d"), std::string("\xbf\x55\x75\xf9\x54\x3e\xa2\x9d", 8));
    const event::Step start = make_step(event::Category::task, event::Phase::start);
    EXPECT_EQ(encode({start, nullptr, 1, 2, {}, {}}, {.trace_id = "not hex"}).trace_id.size(), 32u);
}

TEST(Otlp, ARequestHoldsResourceScopeAndSpans) {
    const event::Step start = make_step(event::Category::task, event::Phase::start);
    const std::string bytes = encode_span(make_session(), {start, nullptr, 1, 2, {}, {}});
    const DecodedRequest request = decode_request(encode_request(
        make_resource("my project", {{"deployment.environment", "lab"}, {"telemetry.sdk.name", "other"}}), std::vector{bytes, bytes}));
    EXPECT_EQ(request.resource.at("service.name"), "my project");
    EXPECT_EQ(request.resource.at("deployment.environment"), "lab");
    EXPECT_EQ(request.resource.at("telemetry.sdk.name"), "other");
    EXPECT_EQ(request.scope, "nat");
    ASSERT_EQ(request.spans.size(), 2u);
    EXPECT_EQ(request.spans[1].name, "model-x");
    EXPECT_TRUE(decode_request(encode_request(make_resource("p", {}), {})).spans.empty());
}

TEST(Otlp, ReadsTheCaptureOfAnotherExporter) {
    // The decoder of these tests agrees with OpenTelemetry's own encoder.
    const DecodedRequest request =
        decode_request(*load_file(fs::path(PLIMSOLL_SOURCE_DIR) / "tests/goldens/otlp/toolagent_stream_llm_span.bin"));
    EXPECT_EQ(request.resource.at("service.name"), "h2-capture");
    ASSERT_EQ(request.spans.size(), 1u);
    EXPECT_EQ(request.spans[0].trace_id, "f4403406c2e04dc5845fae915224fe14");
    EXPECT_EQ(request.spans[0].attributes.at("llm.token_count.total"), "18");
}

TEST(Otlp, CountsWhatACollectorRefused) {
    std::string bytes;
    {
        protozero::pbf_writer response(bytes);
        protozero::pbf_writer partial(response, 1);
        partial.add_int64(1, 3);
        partial.add_string(2, "too old");
    }
    EXPECT_EQ(rejected_spans(bytes), 3u);
    EXPECT_EQ(rejected_spans(""), 0u);
    EXPECT_EQ(rejected_spans("{\"partialSuccess\":{}}"), 0u);
    EXPECT_EQ(rejected_spans(std::string_view(bytes).substr(0, 3)), 0u);
}

}  // namespace
}  // namespace plimsoll::record
