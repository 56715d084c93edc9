#include "record/otlp.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <protozero/pbf_message.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "record/redact.h"

namespace plimsoll::record {
namespace {

using event::Category;
using protozero::pbf_writer;

// Field numbers of opentelemetry-proto.
enum : protozero::pbf_tag_type {
    kRequestResourceSpans = 1,
    kResourceSpansResource = 1,
    kResourceSpansScopeSpans = 2,
    kResourceAttributes = 1,
    kScopeSpansScope = 1,
    kScopeSpansSpans = 2,
    kScopeName = 1,
    kScopeVersion = 2,
    kSpanTraceId = 1,
    kSpanSpanId = 2,
    kSpanParentSpanId = 4,
    kSpanName = 5,
    kSpanKind = 6,
    kSpanStart = 7,
    kSpanEnd = 8,
    kSpanAttributes = 9,
    kSpanStatus = 15,
    kSpanFlags = 16,
    kStatusMessage = 2,
    kStatusCode = 3,
    kKeyValueKey = 1,
    kKeyValueValue = 2,
    kAnyString = 1,
    kAnyInt = 3,
    kAnyDouble = 4,
    kResponsePartialSuccess = 1,
    kPartialRejectedSpans = 1,
};
constexpr int kKindInternal = 1;
constexpr int kStatusOk = 1;
constexpr int kStatusError = 2;
constexpr std::uint32_t kFlagsParentIsLocal = 0x100;  // "has is_remote" set, "is_remote" not

// Bytes of the UTF-8 character at the beginning of `text`, 0 when there is none.
std::size_t character_size(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t size = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
    if (size == 0 || size > text.size()) return 0;
    for (std::size_t i = 1; i < size; ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    const auto second = static_cast<unsigned char>(size > 1 ? text[1] : 0);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    const bool too_large = first == 0xf4 && second >= 0x90;
    return overlong || surrogate || too_large ? 0 : size;
}

std::string sendable_text(std::string_view text) {
    std::string out;
    out.reserve(std::min(text.size(), kMaxAttributeBytes));
    while (!text.empty() && out.size() < kMaxAttributeBytes) {
        const std::size_t size = character_size(text);
        if (size > 0)
            out += text.substr(0, size);
        else
            out += "\xef\xbf\xbd";
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    if (!text.empty()) out += fmt::format("… ({} more bytes)", text.size());
    return out;
}

// Writes key-value pairs into one repeated field of a message.
class Attributes {
  public:
    Attributes(pbf_writer& owner, protozero::pbf_tag_type tag) : owner_(owner), tag_(tag) {}

    void text(std::string_view key, std::string_view value) {
        put(key, [&](pbf_writer& any) { any.add_string(kAnyString, sendable_text(value)); });
    }
    void integer(std::string_view key, std::int64_t value) {
        put(key, [&](pbf_writer& any) { any.add_int64(kAnyInt, value); });
    }
    void number(std::string_view key, double value) {
        put(key, [&](pbf_writer& any) { any.add_double(kAnyDouble, value); });
    }
    // NAT's three keys of a value: <key>.value, <key>.mime_type and <key>.value_obj, the value as JSON text.
    void payload(const std::string& key, json::value value) {
        if (value.is_null()) return;
        redact(value);
        const std::string compact = to_compact_json(value);
        const auto* plain = value.if_string();
        text(key + ".value", plain ? std::string_view(*plain) : compact);
        text(key + ".mime_type", plain ? "text/plain" : "application/json");
        text(key + ".value_obj", compact);
    }

  private:
    template <class Put>
    void put(std::string_view key, Put put_value) {
        pbf_writer pair(owner_, tag_);
        pair.add_string(kKeyValueKey, key.data(), key.size());
        pbf_writer any(pair, kKeyValueValue);
        put_value(any);
    }

    pbf_writer& owner_;
    protozero::pbf_tag_type tag_;
};

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

std::string span_name(const event::Step& step) {
    if (const auto* provided = find(step.payload.metadata, "provided_metadata"))
        if (const auto name = get_string(*provided, "display_name")) return *name;
    if (step.payload.name && !step.payload.name->empty()) return *step.payload.name;
    return std::string(to_string(step.payload.event_type));
}

void add_place(Attributes& attributes, const event::SessionInfo& session, const event::Step& step) {
    const event::EventType start{step.payload.event_type.category, event::Phase::start};
    const event::InvocationNode& function = step.function_ancestry;
    attributes.text("nat.event_type", to_string(start));
    attributes.text("nat.function.id", or_unknown(function.function_id));
    attributes.text("nat.function.name", or_unknown(function.function_name));
    attributes.text("nat.function.parent_id", or_unknown(function.parent_id.value_or("")));
    attributes.text("nat.function.parent_name", or_unknown(function.parent_name.value_or("")));
    attributes.text("nat.subspan.name", step.payload.name.value_or(""));
    attributes.text("nat.framework", step.payload.framework.value_or("unknown"));
    attributes.text("nat.conversation.id", or_unknown(session.conversation_id));
    attributes.text("nat.user.id", or_unknown(session.user_id));
    attributes.text("nat.workflow.run_id", or_unknown(session.run_id));
    attributes.text("nat.workflow.trace_id", or_unknown(session.trace_id));
    attributes.text("nat.span.kind", to_string(start.category));
    if (!session.conversation_id.empty()) {
        attributes.text("session.id", session.conversation_id);
        attributes.text("gen_ai.conversation.id", session.conversation_id);
    }
    if (!session.user_id.empty()) attributes.text("user.id", session.user_id);
}

void add_usage(Attributes& attributes, const event::UsageInfo& usage) {
    const event::TokenUsage& tokens = usage.token_usage;
    attributes.integer("nat.usage.num_llm_calls", usage.num_llm_calls);
    attributes.integer("nat.usage.seconds_between_calls", usage.seconds_between_calls);
    attributes.integer("llm.token_count.prompt", tokens.prompt_tokens);
    attributes.integer("llm.token_count.completion", tokens.completion_tokens);
    attributes.integer("llm.token_count.total", tokens.total_tokens);
    attributes.integer("gen_ai.usage.input_tokens", tokens.prompt_tokens);
    attributes.integer("gen_ai.usage.output_tokens", tokens.completion_tokens);
    if (tokens.cached_tokens > 0) {
        attributes.integer("llm.token_count.prompt_details.cache_read", tokens.cached_tokens);
        attributes.integer("gen_ai.usage.cache_read.input_tokens", tokens.cached_tokens);
    }
    if (tokens.reasoning_tokens > 0) {
        attributes.integer("llm.token_count.completion_details.reasoning", tokens.reasoning_tokens);
        attributes.integer("gen_ai.usage.reasoning.output_tokens", tokens.reasoning_tokens);
    }
}

void add_operation(Attributes& attributes, const OtlpSpan& span) {
    const event::Payload& payload = span.start.payload;
    const std::string name = payload.name.value_or("");
    switch (payload.event_type.category) {
        case Category::llm:
            attributes.text("openinference.span.kind", "LLM");
            attributes.text("llm.model_name", name);
            attributes.text("llm.provider", payload.framework.value_or("unknown"));
            attributes.text("gen_ai.operation.name", "chat");
            attributes.text("gen_ai.provider.name", "_OTHER");
            attributes.text("gen_ai.request.model", name);
            if (span.end) attributes.text("gen_ai.response.model", span.end->payload.name.value_or(name));
            if (span.first_token) {
                attributes.number("gen_ai.response.time_to_first_chunk", *span.first_token - span.start_time);
                attributes.number("gen_ai.server.time_to_first_token", *span.first_token - span.start_time);
            }
            return;
        case Category::tool:
            attributes.text("openinference.span.kind", "TOOL");
            attributes.text("gen_ai.operation.name", "execute_tool");
            attributes.text("gen_ai.tool.name", name);
            attributes.text("gen_ai.tool.call.id", payload.uuid);
            return;
        case Category::workflow:
            attributes.text("openinference.span.kind", "CHAIN");
            attributes.text("gen_ai.operation.name", "invoke_workflow");
            attributes.text("gen_ai.workflow.name", name);
            return;
        case Category::task:
        case Category::function:
        case Category::custom:
        case Category::span:
        case Category::ttc: attributes.text("openinference.span.kind", "CHAIN"); return;
    }
}

void add_attributes(pbf_writer& out, const event::SessionInfo& session, const OtlpSpan& span) {
    Attributes attributes(out, kSpanAttributes);
    const event::Payload& start = span.start.payload;
    add_place(attributes, session, span.start);
    attributes.number("nat.event_timestamp", span.start_time);
    add_operation(attributes, span);
    // What the END repeats it may also have corrected.
    const event::Payload& last = span.end ? span.end->payload : start;
    if (start.data) attributes.payload("input", start.data->input);
    if (last.data) attributes.payload("output", last.data->output);
    if (span.end && last.usage_info) add_usage(attributes, *last.usage_info);
    if (json::value metadata = last.metadata.is_null() ? start.metadata : last.metadata; !metadata.is_null()) {
        redact(metadata);
        attributes.text("nat.metadata", to_compact_json(metadata));
        attributes.text("nat.metadata.mime_type", "application/json");
    }
    if (span.error) attributes.text("error.type", to_string(span.error->code));
}

std::string bytes_of(std::uint64_t number) {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
    return bytes;
}

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return number;
}

std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001b3;
    return hash;
}

std::string trace_id_of(const event::SessionInfo& session) {
    const std::string& id = session.trace_id;
    if (id.size() == 32) {
        const auto high = parse_hex(std::string_view(id).substr(0, 16));
        const auto low = parse_hex(std::string_view(id).substr(16));
        if (high && low) return bytes_of(*high) + bytes_of(*low);
    }
    return bytes_of(hash_of(id)) + bytes_of(hash_of(session.run_id));
}

// Whole seconds apart from the fraction: their product with 1e9 has more digits than a double.
std::uint64_t nanoseconds(double seconds) {
    if (!(seconds > 0)) return 0;
    const double whole = std::floor(seconds);
    return static_cast<std::uint64_t>(whole) * 1'000'000'000 + static_cast<std::uint64_t>(std::llround((seconds - whole) * 1e9));
}

}  // namespace

std::string span_id_of(std::string_view id) {
    if (id.size() == 36 && id[18] == '-' && id[23] == '-')
        if (const auto number = parse_hex(std::string(id.substr(19, 4)) + std::string(id.substr(24)))) return bytes_of(*number);
    return bytes_of(hash_of(id));
}

std::string encode_span(const event::SessionInfo& session, const OtlpSpan& span) {
    std::string bytes;
    pbf_writer out(bytes);
    out.add_bytes(kSpanTraceId, trace_id_of(session));
    out.add_bytes(kSpanSpanId, span_id_of(span.start.payload.uuid));
    if (span.start.parent_id != "root") out.add_bytes(kSpanParentSpanId, span_id_of(span.start.parent_id));
    out.add_string(kSpanName, sendable_text(span_name(span.start)));
    out.add_enum(kSpanKind, kKindInternal);
    out.add_fixed64(kSpanStart, nanoseconds(span.start_time));
    out.add_fixed64(kSpanEnd, nanoseconds(std::max(span.start_time, span.end_time)));
    add_attributes(out, session, span);
    {
        pbf_writer status(out, kSpanStatus);
        if (span.error) status.add_string(kStatusMessage, sendable_text(span.error->message));
        status.add_enum(kStatusCode, span.error ? kStatusError : kStatusOk);
    }
    out.add_fixed32(kSpanFlags, kFlagsParentIsLocal);
    return bytes;
}

OtlpResource make_resource(const std::string& project, const json::object& extra) {
    OtlpResource resource{{{"telemetry.sdk.language", "cpp"},
                           {"telemetry.sdk.name", "plimsoll"},
                           {"telemetry.sdk.version", PLIMSOLL_VERSION},
                           {"service.name", project}}};
    std::erase_if(resource.attributes, [&](const auto& attribute) { return extra.contains(attribute.first); });
    for (const auto& [key, value] : extra) resource.attributes.emplace_back(key, to_text(value));
    return resource;
}

std::string encode_request(const OtlpResource& resource, std::span<const std::string> spans) {
    std::string bytes;
    pbf_writer request(bytes);
    pbf_writer resource_spans(request, kRequestResourceSpans);
    {
        pbf_writer out(resource_spans, kResourceSpansResource);
        Attributes attributes(out, kResourceAttributes);
        for (const auto& [key, value] : resource.attributes) attributes.text(key, value);
    }
    pbf_writer scope_spans(resource_spans, kResourceSpansScopeSpans);
    {
        pbf_writer scope(scope_spans, kScopeSpansScope);
        scope.add_string(kScopeName, "nat");
        scope.add_string(kScopeVersion, "1.0.0");
    }
    for (const std::string& span : spans) scope_spans.add_message(kScopeSpansSpans, span);
    scope_spans.commit();
    resource_spans.commit();
    return bytes;
}

std::uint64_t rejected_spans(std::string_view response) {
    try {
        protozero::pbf_reader reader(response.data(), response.size());
        while (reader.next(kResponsePartialSuccess)) {
            protozero::pbf_reader partial = reader.get_message();
            while (partial.next(kPartialRejectedSpans)) return static_cast<std::uint64_t>(std::max<std::int64_t>(0, partial.get_int64()));
        }
    } catch (const protozero::exception&) {
        return 0;  // some collectors answer with JSON or text
    }
    return 0;
}

}  // namespace plimsoll::record
