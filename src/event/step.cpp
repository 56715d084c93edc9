#include "event/step.h"

#include <array>
#include <cmath>
#include <utility>

namespace plimsoll::event {
namespace {

constexpr std::array<std::pair<std::string_view, EventType>, 18> kNames = {{
    {"LLM_START", {Category::llm, Phase::start}},
    {"LLM_NEW_TOKEN", {Category::llm, Phase::chunk}},
    {"LLM_END", {Category::llm, Phase::end}},
    {"TOOL_START", {Category::tool, Phase::start}},
    {"TOOL_END", {Category::tool, Phase::end}},
    {"WORKFLOW_START", {Category::workflow, Phase::start}},
    {"WORKFLOW_END", {Category::workflow, Phase::end}},
    {"TASK_START", {Category::task, Phase::start}},
    {"TASK_END", {Category::task, Phase::end}},
    {"TTC_START", {Category::ttc, Phase::start}},
    {"TTC_END", {Category::ttc, Phase::end}},
    {"FUNCTION_START", {Category::function, Phase::start}},
    {"FUNCTION_END", {Category::function, Phase::end}},
    {"CUSTOM_START", {Category::custom, Phase::start}},
    {"CUSTOM_END", {Category::custom, Phase::end}},
    {"SPAN_START", {Category::span, Phase::start}},
    {"SPAN_CHUNK", {Category::span, Phase::chunk}},
    {"SPAN_END", {Category::span, Phase::end}},
}};

json::value text_or_null(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); }

json::value to_json(const InvocationNode& node) {
    return {{"function_id", node.function_id},
            {"function_name", node.function_name},
            {"parent_id", text_or_null(node.parent_id)},
            {"parent_name", text_or_null(node.parent_name)}};
}

json::value to_json(const UsageInfo& usage) {
    const TokenUsage& tokens = usage.token_usage;
    return {{"token_usage",
             {{"prompt_tokens", tokens.prompt_tokens},
              {"completion_tokens", tokens.completion_tokens},
              {"cached_tokens", tokens.cached_tokens},
              {"reasoning_tokens", tokens.reasoning_tokens},
              {"total_tokens", tokens.total_tokens}}},
            {"num_llm_calls", usage.num_llm_calls},
            {"seconds_between_calls", usage.seconds_between_calls}};
}

json::value to_json(const StepData& data) {
    json::object out = {{"input", data.input}, {"output", data.output}, {"chunk", data.chunk}, {"payload", data.payload}};
    for (const auto& [key, value] : data.extra) out.emplace(key, value);
    return out;
}

std::optional<std::string> optional_text(const json::value& value, std::string_view key) { return get_string(value, key); }

InvocationNode parse_invocation(const json::value& value) {
    InvocationNode node;
    node.function_id = get_string(value, "function_id").value_or("root");
    node.function_name = get_string(value, "function_name").value_or("root");
    node.parent_id = optional_text(value, "parent_id");
    node.parent_name = optional_text(value, "parent_name");
    return node;
}

// Times and counts come from outside; beyond these bounds they are nobody's, and sums over them would overflow.

std::optional<double> time_of(const json::value& value, std::string_view key) {
    const auto time = get_number(value, key);
    return time && std::abs(*time) <= kMaxTime ? time : std::nullopt;
}

std::int64_t count_of(const json::value& value, std::string_view key) {
    const std::int64_t count = get_int(value, key).value_or(0);
    return count >= 0 && count <= kMaxCount ? count : 0;
}

UsageInfo parse_usage(const json::value& value) {
    UsageInfo usage;
    if (const auto* tokens = find(value, "token_usage")) {
        usage.token_usage.prompt_tokens = count_of(*tokens, "prompt_tokens");
        usage.token_usage.completion_tokens = count_of(*tokens, "completion_tokens");
        usage.token_usage.cached_tokens = count_of(*tokens, "cached_tokens");
        usage.token_usage.reasoning_tokens = count_of(*tokens, "reasoning_tokens");
        usage.token_usage.total_tokens = count_of(*tokens, "total_tokens");
    }
    usage.num_llm_calls = count_of(value, "num_llm_calls");
    usage.seconds_between_calls = count_of(value, "seconds_between_calls");
    return usage;
}

StepData parse_data(const json::object& object) {
    StepData data;
    for (const auto& [key, value] : object) {
        if (key == "input")
            data.input = value;
        else if (key == "output")
            data.output = value;
        else if (key == "chunk")
            data.chunk = value;
        else if (key == "payload")
            data.payload = value;
        else
            data.extra.emplace(key, value);
    }
    return data;
}

}  // namespace

std::string_view to_string(EventType type) {
    for (const auto& [name, candidate] : kNames)
        if (candidate == type) return name;
    return "CUSTOM_START";
}

std::optional<EventType> parse_event_type(std::string_view name) {
    for (const auto& [candidate, type] : kNames)
        if (candidate == name) return type;
    return std::nullopt;
}

std::string_view to_string(Category category) {
    switch (category) {
        case Category::llm: return "LLM";
        case Category::tool: return "TOOL";
        case Category::workflow: return "WORKFLOW";
        case Category::task: return "TASK";
        case Category::function: return "FUNCTION";
        case Category::custom: return "CUSTOM";
        case Category::span: return "SPAN";
        case Category::ttc: return "TTC";
    }
    return "CUSTOM";
}

TokenUsage& TokenUsage::operator+=(const TokenUsage& other) {
    prompt_tokens += other.prompt_tokens;
    completion_tokens += other.completion_tokens;
    cached_tokens += other.cached_tokens;
    reasoning_tokens += other.reasoning_tokens;
    total_tokens += other.total_tokens;
    return *this;
}

json::value to_json(const Payload& payload) {
    json::object out;
    out.reserve(10 + payload.extra.size());
    out["event_type"] = to_string(payload.event_type);
    out["event_timestamp"] = payload.event_timestamp;
    out["span_event_timestamp"] = payload.span_event_timestamp ? json::value(*payload.span_event_timestamp) : json::value(nullptr);
    out["framework"] = text_or_null(payload.framework);
    out["name"] = text_or_null(payload.name);
    out["tags"] = payload.tags;
    out["metadata"] = payload.metadata;
    out["data"] = payload.data ? to_json(*payload.data) : json::value(nullptr);
    out["usage_info"] = payload.usage_info ? to_json(*payload.usage_info) : json::value(nullptr);
    out["UUID"] = payload.uuid;
    for (const auto& [key, value] : payload.extra) out.emplace(key, value);
    return out;
}

json::value to_json(const Step& step) {
    return {{"parent_id", step.parent_id}, {"function_ancestry", to_json(step.function_ancestry)}, {"payload", to_json(step.payload)}};
}

Result<Payload> parse_payload(const json::value& value) {
    const auto* object = value.if_object();
    if (!object) return fail(ErrorCode::parse, "payload: must be an object");
    Payload payload;
    const auto type_name = get_string(value, "event_type");
    const auto type = type_name ? parse_event_type(*type_name) : std::nullopt;
    if (!type) return fail(ErrorCode::parse, "event_type: unknown or missing: " + type_name.value_or("(none)"));
    payload.event_type = *type;
    const auto timestamp = time_of(value, "event_timestamp");
    if (!timestamp) return fail(ErrorCode::parse, "event_timestamp: must be a number of seconds since the epoch");
    payload.event_timestamp = *timestamp;
    const auto uuid = get_string(value, "UUID");
    if (!uuid) return fail(ErrorCode::parse, "UUID: must be a string");
    payload.uuid = *uuid;
    payload.span_event_timestamp = time_of(value, "span_event_timestamp");
    payload.framework = optional_text(value, "framework");
    payload.name = optional_text(value, "name");
    for (const auto& [key, member] : *object) {
        if (key == "tags")
            payload.tags = member;
        else if (key == "metadata")
            payload.metadata = member;
        else if (key == "data") {
            if (const auto* data = member.if_object()) payload.data = parse_data(*data);
        } else if (key == "usage_info") {
            if (member.is_object()) payload.usage_info = parse_usage(member);
        } else if (key != "event_type" && key != "event_timestamp" && key != "UUID" && key != "span_event_timestamp" &&
                   key != "framework" && key != "name") {
            payload.extra.emplace(key, member);
        }
    }
    return payload;
}

Result<Step> parse_step(const json::value& value) {
    const auto* payload = find(value, "payload");
    if (!payload) return fail(ErrorCode::parse, "payload: missing");
    auto parsed = parse_payload(*payload);
    if (!parsed) return fail(parsed.error());
    Step step;
    step.payload = std::move(*parsed);
    step.parent_id = get_string(value, "parent_id").value_or("root");
    if (const auto* ancestry = find(value, "function_ancestry")) step.function_ancestry = parse_invocation(*ancestry);
    return step;
}

std::optional<Error> step_error(const Step& end) {
    const auto* error = find(end.payload.metadata, "error");
    if (!error || !error->is_object()) return std::nullopt;
    Error out;
    out.message = get_string(*error, "message").value_or("");
    const std::string code = get_string(*error, "code").value_or("internal");
    for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i)
        if (to_string(static_cast<ErrorCode>(i)) == code) out.code = static_cast<ErrorCode>(i);
    return out;
}

}  // namespace plimsoll::event
