#include "record/otlp_dialect.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <span>

namespace plimsoll::record {
namespace {

using event::Category;
using Keys = std::span<const std::string_view>;

struct KindRule {
    std::string_view key, value;
    Category category;
};

// In order of precedence by key. Retrieval and embedding are work done for an agent outside its models: tools.
constexpr KindRule kKinds[] = {
    {"nat.span.kind", "LLM", Category::llm},
    {"nat.span.kind", "TOOL", Category::tool},
    {"nat.span.kind", "WORKFLOW", Category::workflow},
    {"nat.span.kind", "FUNCTION", Category::function},
    {"nat.span.kind", "TASK", Category::task},
    {"nat.span.kind", "CUSTOM", Category::custom},
    {"nat.span.kind", "SPAN", Category::span},
    {"nat.span.kind", "TTC", Category::ttc},
    {"aiq.span.kind", "LLM", Category::llm},
    {"aiq.span.kind", "TOOL", Category::tool},
    {"aiq.span.kind", "WORKFLOW", Category::workflow},
    {"aiq.span.kind", "FUNCTION", Category::function},
    {"openinference.span.kind", "LLM", Category::llm},
    {"openinference.span.kind", "TOOL", Category::tool},
    {"openinference.span.kind", "RETRIEVER", Category::tool},
    {"openinference.span.kind", "RERANKER", Category::tool},
    {"openinference.span.kind", "EMBEDDING", Category::tool},
    {"openinference.span.kind", "AGENT", Category::function},
    {"openinference.span.kind", "CHAIN", Category::function},
    {"openinference.span.kind", "GUARDRAIL", Category::function},
    {"openinference.span.kind", "EVALUATOR", Category::function},
    {"openinference.span.kind", "PROMPT", Category::function},
    {"gen_ai.operation.name", "chat", Category::llm},
    {"gen_ai.operation.name", "text_completion", Category::llm},
    {"gen_ai.operation.name", "generate_content", Category::llm},
    {"gen_ai.operation.name", "execute_tool", Category::tool},
    {"gen_ai.operation.name", "embeddings", Category::tool},
    {"gen_ai.operation.name", "retrieval", Category::tool},
    {"gen_ai.operation.name", "create_memory", Category::tool},
    {"gen_ai.operation.name", "search_memory", Category::tool},
    {"gen_ai.operation.name", "update_memory", Category::tool},
    {"gen_ai.operation.name", "upsert_memory", Category::tool},
    {"gen_ai.operation.name", "delete_memory", Category::tool},
    {"gen_ai.operation.name", "invoke_workflow", Category::workflow},
    {"gen_ai.operation.name", "invoke_agent", Category::function},
    {"gen_ai.operation.name", "create_agent", Category::function},
    {"gen_ai.operation.name", "plan", Category::function},
    {"traceloop.span.kind", "workflow", Category::workflow},
    {"traceloop.span.kind", "agent", Category::function},
    {"traceloop.span.kind", "task", Category::function},
    {"traceloop.span.kind", "tool", Category::tool},
    {"llm.request.type", "chat", Category::llm},
    {"llm.request.type", "completion", Category::llm},
};

// The first of the keys that is there counts.
constexpr std::string_view kModelKeys[] = {"llm.model_name",        "llm.request.model_name",  "gen_ai.request.model",
                                           "gen_ai.response.model", "llm.response.model_name", "llm.request.model"};
constexpr std::string_view kToolKeys[] = {"tool.name", "gen_ai.tool.name", "nat.subspan.name", "aiq.subspan.name", "traceloop.entity.name"};
constexpr std::string_view kFunctionKeys[] = {"nat.subspan.name",     "aiq.subspan.name", "agent.name",           "gen_ai.agent.name",
                                              "gen_ai.workflow.name", "graph.node.name",  "traceloop.entity.name"};
constexpr std::string_view kInputKeys[] = {
    "input.value_obj", "input.value",   "gen_ai.input.messages", "gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text",
    "tool.parameters", "gen_ai.prompt", "traceloop.entity.input"};
constexpr std::string_view kOutputKeys[] = {"output.value_obj",        "output.value",      "gen_ai.output.messages",
                                            "gen_ai.tool.call.result", "gen_ai.completion", "traceloop.entity.output"};
constexpr std::string_view kPromptTokenKeys[] = {"llm.token_count.prompt", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
                                                 "llm.usage.prompt_tokens"};
constexpr std::string_view kCompletionTokenKeys[] = {"llm.token_count.completion", "gen_ai.usage.output_tokens",
                                                     "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"};
constexpr std::string_view kTotalTokenKeys[] = {"llm.token_count.total", "gen_ai.usage.total_tokens", "llm.usage.total_tokens"};
constexpr std::string_view kCachedTokenKeys[] = {"llm.token_count.prompt_details.cache_read", "gen_ai.usage.cache_read.input_tokens",
                                                 "gen_ai.usage.cache_read_input_tokens"};
constexpr std::string_view kReasoningTokenKeys[] = {"llm.token_count.completion_details.reasoning", "gen_ai.usage.reasoning.output_tokens",
                                                    "gen_ai.usage.reasoning_tokens"};
constexpr std::string_view kLlmCallKeys[] = {"nat.usage.num_llm_calls", "aiq.usage.num_llm_calls"};
constexpr std::string_view kGapKeys[] = {"nat.usage.seconds_between_calls", "aiq.usage.seconds_between_calls"};
constexpr std::string_view kFirstTokenKeys[] = {"gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"};
constexpr std::string_view kFirstTokenEvents[] = {"First Token Stream Event", "first_token", "gen_ai.first_token",
                                                  "gen_ai.content.completion.chunk", "llm.content.completion.chunk"};
constexpr std::string_view kRunKeys[] = {"nat.workflow.run_id", "aiq.workflow.run_id"};
constexpr std::string_view kConversationKeys[] = {"session.id", "gen_ai.conversation.id", "nat.conversation.id"};
constexpr std::string_view kFrameworkKeys[] = {"nat.framework", "aiq.framework"};
constexpr std::string_view kMetadataKeys[] = {"nat.metadata", "aiq.metadata", "metadata"};

// Messages spread over keys: prefix, number, then one of these.
struct MessageKeys {
    std::string_view prefix, role, content;
};
constexpr MessageKeys kInputMessages[] = {{"llm.input_messages.", ".message.role", ".message.content"},
                                          {"gen_ai.prompt.", ".role", ".content"}};
constexpr MessageKeys kOutputMessages[] = {{"llm.output_messages.", ".message.role", ".message.content"},
                                           {"gen_ai.completion.", ".role", ".content"}};
constexpr std::size_t kMaxMessages = 1000;  // of a call; further ones are not looked at

// The GenAI conventions put content into span events too: all of it in one attribute (v1.27, and v1.37 on), or an event a message
// (v1.28 to v1.36, and SDKs that write the message as one JSON attribute).
struct ContentEvent {
    std::string_view event, key;
};
constexpr ContentEvent kInputEvents[] = {{"gen_ai.content.prompt", "gen_ai.prompt"},
                                         {"gen_ai.client.inference.operation.details", "gen_ai.input.messages"}};
constexpr ContentEvent kOutputEvents[] = {{"gen_ai.content.completion", "gen_ai.completion"},
                                          {"gen_ai.client.inference.operation.details", "gen_ai.output.messages"}};
struct MessageEvent {
    std::string_view event, role;
};
constexpr MessageEvent kInputMessageEvents[] = {{"gen_ai.system.message", "system"},
                                                {"gen_ai.user.message", "user"},
                                                {"gen_ai.assistant.message", "assistant"},
                                                {"gen_ai.tool.message", "tool"}};
constexpr MessageEvent kOutputMessageEvents[] = {{"gen_ai.choice", "assistant"}};
constexpr std::string_view kMessageKeys[] = {"content", "message", "gen_ai.event.content"};

const json::value* first_of(const json::object& attributes, Keys keys) {
    for (const auto key : keys)
        if (const auto* value = attributes.if_contains(key); value && !value->is_null()) return value;
    return nullptr;
}

// NAT writes "unknown" for what it does not know.
std::string text_of(const json::object& attributes, Keys keys) {
    for (const auto key : keys)
        if (const auto* value = attributes.if_contains(key))
            if (const auto* text = value->if_string(); text && !text->empty() && *text != "unknown") return std::string(*text);
    return "";
}

std::int64_t count_of(const json::object& attributes, Keys keys) {
    constexpr double kMaxCount = 1e12;
    const auto* value = first_of(attributes, keys);
    if (!value) return 0;
    double number = 0;
    if (value->is_number())
        number = value->to_number<double>();
    else if (const auto* text = value->if_string())
        std::from_chars(text->data(), text->data() + text->size(), number);
    return number >= 0 && number <= kMaxCount ? static_cast<std::int64_t>(number) : 0;
}

bool is_deeper(const json::value& value, int levels) {
    if (levels == 0) return value.is_structured();
    if (const auto* list = value.if_array())
        return std::ranges::any_of(*list, [&](const auto& item) { return is_deeper(item, levels - 1); });
    if (const auto* members = value.if_object())
        return std::ranges::any_of(*members, [&](const auto& member) { return is_deeper(member.value(), levels - 1); });
    return false;
}

// Deeply nested texts stay texts: inside a step they would nest deeper than parse_json() reads.
json::value parsed_or_text(const json::value& value) {
    constexpr int kMaxLevels = 32;
    const auto* text = value.if_string();
    if (!text || text->empty() || !std::string_view("{[\"").contains(text->front())) return value;
    auto parsed = parse_json(*text);
    if (!parsed || is_deeper(*parsed, kMaxLevels)) return value;
    return std::move(*parsed);
}

json::value messages_of(const json::object& attributes, std::span<const MessageKeys> dialects) {
    for (const MessageKeys& keys : dialects) {
        json::array messages;
        for (std::size_t i = 0; i < kMaxMessages; ++i) {
            const std::string place = std::string(keys.prefix) + std::to_string(i);
            const auto* role = attributes.if_contains(place + std::string(keys.role));
            const auto* content = attributes.if_contains(place + std::string(keys.content));
            if (!role && !content) break;
            messages.push_back({{"role", role ? *role : json::value()}, {"content", content ? *content : json::value()}});
        }
        if (!messages.empty()) return messages;
    }
    return nullptr;
}

// {"role", "content"} of an event whose content may be wrapped in a message of its own, and that in another.
json::value message_of(const ReadEvent& event, std::string_view role) {
    json::value content;
    if (const auto* value = first_of(event.attributes, kMessageKeys)) content = parsed_or_text(*value);
    std::string said = get_string(event.attributes, "role").value_or(std::string(role));
    for (const char* wrapper : {"message", "content"}) {
        if (const auto own = get_string(content, "role")) said = *own;
        if (const auto* inner = find(content, wrapper)) content = json::value(*inner);
    }
    return {{"role", said}, {"content", std::move(content)}};
}

json::value events_text(const std::vector<ReadEvent>& events, std::span<const ContentEvent> wholes, std::span<const MessageEvent> kinds) {
    for (const ReadEvent& event : events)
        for (const ContentEvent& whole : wholes)
            if (const auto* value = event.attributes.if_contains(whole.key); value && event.name == whole.event)
                return parsed_or_text(*value);
    json::array messages;
    for (const ReadEvent& event : events)
        for (const MessageEvent& kind : kinds)
            if (event.name == kind.event && messages.size() < kMaxMessages) messages.push_back(message_of(event, kind.role));
    return messages.empty() ? json::value() : json::value(std::move(messages));
}

json::value text_value_of(const json::object& attributes, Keys keys, std::span<const MessageKeys> messages) {
    if (const auto* value = first_of(attributes, keys)) return parsed_or_text(*value);
    return messages_of(attributes, messages);
}

bool equal_but_for_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_one_of(std::string_view text, Keys list) { return std::ranges::find(list, text) != list.end(); }

const ReadEvent* exception_of(const ReadSpan& span) {
    const auto found = std::ranges::find(span.events, "exception", &ReadEvent::name);
    return found == span.events.end() ? nullptr : &*found;
}

ErrorCode error_code(std::string_view type) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i)
        if (to_string(static_cast<ErrorCode>(i)) == type) return static_cast<ErrorCode>(i);
    if (type.contains("imeout")) return ErrorCode::timeout;
    if (type.contains("ancelled")) return ErrorCode::cancelled;
    if (type.contains("Connect")) return ErrorCode::connect;
    return type.size() == 3 && (type[0] == '4' || type[0] == '5') ? ErrorCode::http_status : ErrorCode::internal;
}

}  // namespace

std::optional<Category> category_of(const ReadSpan& span) {
    for (const KindRule& rule : kKinds)
        if (const auto* value = span.attributes.if_contains(rule.key);
            value && value->is_string() && equal_but_for_case(value->get_string(), rule.value))
            return rule.category;
    if (const auto type = event::parse_event_type(get_string(span.attributes, "nat.event_type").value_or(""))) return type->category;
    return std::nullopt;
}

std::string call_name_of(const ReadSpan& span, Category category) {
    const Keys keys = category == Category::llm ? Keys(kModelKeys) : category == Category::tool ? Keys(kToolKeys) : Keys(kFunctionKeys);
    std::string name = text_of(span.attributes, keys);
    return name.empty() ? span.name : name;
}

json::value input_of(const ReadSpan& span) {
    json::value input = text_value_of(span.attributes, kInputKeys, kInputMessages);
    return input.is_null() ? events_text(span.events, kInputEvents, kInputMessageEvents) : input;
}

json::value output_of(const ReadSpan& span) {
    json::value output = text_value_of(span.attributes, kOutputKeys, kOutputMessages);
    return output.is_null() ? events_text(span.events, kOutputEvents, kOutputMessageEvents) : output;
}

event::UsageInfo usage_of(const ReadSpan& span) {
    event::UsageInfo usage;
    event::TokenUsage& tokens = usage.token_usage;
    tokens.prompt_tokens = count_of(span.attributes, kPromptTokenKeys);
    tokens.completion_tokens = count_of(span.attributes, kCompletionTokenKeys);
    tokens.cached_tokens = count_of(span.attributes, kCachedTokenKeys);
    tokens.reasoning_tokens = count_of(span.attributes, kReasoningTokenKeys);
    tokens.total_tokens = std::max(count_of(span.attributes, kTotalTokenKeys), tokens.prompt_tokens + tokens.completion_tokens);
    usage.num_llm_calls = count_of(span.attributes, kLlmCallKeys);
    usage.seconds_between_calls = count_of(span.attributes, kGapKeys);
    return usage;
}

std::optional<double> first_token_of(const ReadSpan& span) {
    std::optional<double> time;
    if (const auto* wait = first_of(span.attributes, kFirstTokenKeys); wait && wait->is_number())
        time = span.start + wait->to_number<double>();
    else if (const auto event = std::ranges::find_if(span.events, [](const auto& e) { return is_one_of(e.name, kFirstTokenEvents); });
             event != span.events.end())
        time = event->time;
    const bool inside = time && *time >= span.start && (span.end <= 0 || *time <= span.end);  // false for NaN
    return inside ? time : std::nullopt;
}

std::optional<Error> error_of(const ReadSpan& span) {
    const ReadEvent* exception = exception_of(span);
    std::string type = get_string(span.attributes, "error.type").value_or("");
    if (!span.failed && type.empty()) return std::nullopt;  // an exception that was handled is no failure
    if (type.empty() && exception) type = get_string(exception->attributes, "exception.type").value_or("");
    std::string message = span.status_message;
    if (message.empty() && exception) message = get_string(exception->attributes, "exception.message").value_or("");
    return Error{error_code(type), message.empty() ? type : std::move(message)};
}

std::string run_id_of(const ReadSpan& span) { return text_of(span.attributes, kRunKeys); }
std::string conversation_of(const ReadSpan& span) { return text_of(span.attributes, kConversationKeys); }

std::optional<event::InvocationNode> function_of(const ReadSpan& span) {
    for (const std::string prefix : {"nat.function.", "aiq.function."}) {
        const auto part = [&](const char* name) { return get_string(span.attributes, prefix + name); };
        const auto id = part("id"), name = part("name");
        if (!id || !name) continue;
        event::InvocationNode node{*id, *name, part("parent_id"), part("parent_name")};
        if (node.parent_id == "unknown") node.parent_id = std::nullopt;
        if (node.parent_name == "unknown") node.parent_name = std::nullopt;
        return node;
    }
    return std::nullopt;
}

std::optional<std::string> framework_of(const ReadSpan& span) {
    std::string name = text_of(span.attributes, kFrameworkKeys);
    return name.empty() ? std::nullopt : std::optional(std::move(name));
}

json::value metadata_of(const ReadSpan& span) {
    const auto* value = first_of(span.attributes, kMetadataKeys);
    return value ? parsed_or_text(*value) : json::value();
}

}  // namespace plimsoll::record
