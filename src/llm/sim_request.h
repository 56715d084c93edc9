// What the simulated model server understands of a request, and the script that says how to answer some of them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "llm/sim_options.h"

namespace plimsoll::llm {

enum class SimRoute : std::uint8_t { chat, completion };

struct SimTool {
    std::string name;
    json::value parameters;  // a JSON schema; null when the tool takes none
};

struct SimRequest {
    SimRoute route = SimRoute::chat;
    std::string model;      // as asked for; empty when not said
    std::string prompt;     // all messages, a line end after each
    std::string last_user;  // the last user message; the prompt when there is none
    int messages = 0;
    bool stream = false;
    bool include_usage = false;
    std::optional<std::int64_t> max_tokens;
    bool ignore_eos = false;  // answer with exactly max_tokens tokens, as load generators ask for
    std::vector<std::string> stop;
    bool wants_json = false;            // response_format json_object or json_schema
    std::optional<json::value> schema;  // of json_schema
    bool thinking = false;              // a message says "thinking on", or chat_template_kwargs does
    std::vector<SimTool> tools;
    std::optional<std::size_t> tool;  // the one to call
    std::string session;              // "user", or else "prompt_cache_key": what routing by session goes by
};

// Of POST /v1/chat/completions or /v1/completions. Sampling settings are ignored. A tool is called when tool_choice says so and,
// by "auto", once after each user message: the tool whose name the message has in it, or else the first.
// Errors: invalid_argument (what the client sees as a 400), parse.
Result<SimRequest> parse_sim_request(SimRoute route, std::string_view body);

struct SimEmbeddingRequest {
    std::string model;
    std::vector<std::string> texts;
    int dimensions = 0;
    bool base64 = false;
};

inline constexpr std::size_t kMaxSimTexts = 2048;         // of one embedding request
inline constexpr std::size_t kMaxSimTextBytes = 1 << 20;  // of them all: they are hashed on the io thread

// Of POST /v1/embeddings; `dimensions` is what counts when the request does not say. Errors: invalid_argument, parse.
Result<SimEmbeddingRequest> parse_sim_embedding_request(std::string_view body, int dimensions);

// One entry of a script: [{"match": "weather", "reply": "It rains.", "think": "…", "fault": "500"}, …]. The first entry whose
// `match` occurs in the last user message counts; an empty one always does. Without `reply` the built-in answer is given. With
// "tool": NAME that tool is called, and `reply` is its arguments.
struct SimRule {
    std::string match;
    std::optional<std::string> reply;
    std::string think;
    std::string tool;
    SimFault fault = SimFault::none;
};

inline constexpr std::size_t kMaxSimRules = 10'000;

// Errors: parse, config (wrong or unknown fields, with the entry's number), limit.
Result<std::vector<SimRule>> parse_sim_script(std::string_view text);
// The same from a file; also not_found, io.
Result<std::vector<SimRule>> load_sim_script(const std::filesystem::path& path);

// nullptr when no entry matches.
const SimRule* find_rule(const std::vector<SimRule>& rules, const SimRequest& request);

}  // namespace plimsoll::llm
