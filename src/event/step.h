// The record of everything that happens in a session: NAT's IntermediateStep, field for field, so that NAT's traces load
// here and ours load there (NAT 1.9.0, "intermediate step data model").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace plimsoll::event {

// What a trace says beyond these is not taken, so that sums and differences stay in range: seconds since the epoch either way (the year
// 5138), and counts.
inline constexpr double kMaxTime = 1e11;
inline constexpr std::int64_t kMaxCount = 1'000'000'000'000;

enum class Category : std::uint8_t { llm, tool, workflow, task, function, custom, span, ttc };
enum class Phase : std::uint8_t { start, chunk, end };

struct EventType {
    Category category = Category::custom;
    Phase phase = Phase::start;
    friend bool operator==(EventType, EventType) = default;
};

// "LLM_NEW_TOKEN", "SPAN_CHUNK", "TOOL_END", …
std::string_view to_string(EventType type);
std::optional<EventType> parse_event_type(std::string_view name);
// "LLM", "TOOL", …
std::string_view to_string(Category category);

// The function in whose body a step happened. Outside any function: id = name = "root", no parent.
struct InvocationNode {
    std::string function_id = "root";
    std::string function_name = "root";
    std::optional<std::string> parent_id;
    std::optional<std::string> parent_name;
};

struct TokenUsage {
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    std::int64_t cached_tokens = 0;
    std::int64_t reasoning_tokens = 0;
    std::int64_t total_tokens = 0;
    TokenUsage& operator+=(const TokenUsage& other);
};

struct UsageInfo {
    TokenUsage token_usage;
    std::int64_t num_llm_calls = 0;
    std::int64_t seconds_between_calls = 0;  // whole seconds since the session's previous LLM start
};

struct StepData {
    json::value input;
    json::value output;
    json::value chunk;
    json::value payload;
    json::object extra;  // unknown keys, kept
};

struct Payload {
    EventType event_type;
    double event_timestamp = 0;                  // seconds since the epoch
    std::optional<double> span_event_timestamp;  // the start's time; END events only
    std::optional<std::string> framework;
    std::optional<std::string> name;  // model, tool, function or workflow
    json::value tags;
    json::value metadata;
    std::optional<StepData> data;
    std::optional<UsageInfo> usage_info;
    std::string uuid;    // the same on START, CHUNK and END of one call
    json::object extra;  // unknown keys, kept
};

struct Step {
    std::string parent_id = "root";  // uuid of the innermost open span when this one started
    InvocationNode function_ancestry;
    Payload payload;
};

json::value to_json(const Payload& payload);
json::value to_json(const Step& step);

// Errors: parse, naming the field.
Result<Payload> parse_payload(const json::value& value);
Result<Step> parse_step(const json::value& value);

// Where an END step keeps a failure: metadata.error = {"code": …, "message": …}. NAT has no place for it and drops it.
std::optional<Error> step_error(const Step& end);

}  // namespace plimsoll::event
