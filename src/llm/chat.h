// Chat with a language model over the OpenAI wire format. Every call records its own LLM_START, LLM_NEW_TOKEN and LLM_END.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "event/session.h"
#include "net/retry.h"

namespace plimsoll::llm {

namespace asio = boost::asio;

struct ChatMessage {
    std::string role;  // system, user, assistant, tool
    std::string content;
};

// What one call asks for; settings left empty take the model's configured ones.
struct ChatRequest {
    std::vector<ChatMessage> messages;
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<int> max_tokens;
    std::optional<std::int64_t> seed;
    std::vector<std::string> stop;
    bool stream = true;
    // Answer must be JSON of this JSON schema (response_format json_schema).
    std::optional<json::value> json_schema;
    std::string json_schema_name = "answer";
    json::object extra;  // further body fields, e.g. frequency_penalty
};

struct ChatResult {
    std::string content;    // without reasoning
    std::string reasoning;  // <think>…</think> or reasoning_content
    std::string finish_reason;
    std::string model;
    event::TokenUsage usage;
    // The server sent none: completion tokens = pieces seen (characters / 4 when not streamed), prompt tokens = characters / 4.
    bool usage_estimated = false;
    int attempts = 1;
};

// A piece of the answer as it arrives; `reasoning` pieces are the model's thinking. A model that closes a <think> it never
// opened has its first thoughts reported as answer: only ChatResult is right then.
using OnPiece = std::function<void(std::string_view piece, bool reasoning)>;

class ChatModel {
  public:
    virtual ~ChatModel() = default;
    virtual const std::string& name() const = 0;   // key under `llms:`
    virtual const std::string& model() const = 0;  // model_name
    // Errors: timeout (context's deadline or the model's request_timeout), connect, http_status, bad_response, cancelled.
    // Retries are inside, within the deadline; a stream that has already delivered pieces is not retried.
    // Cancelling the coroutine ends the call and returns `cancelled`; the caller's next wait throws as asio does.
    // An answer that was not streamed reaches `on_piece` whole.
    virtual asio::awaitable<Result<ChatResult>> chat(event::Context context, ChatRequest request, OnPiece on_piece = {}) = 0;
};

class EmbeddingModel {
  public:
    virtual ~EmbeddingModel() = default;
    virtual const std::string& name() const = 0;
    virtual const std::string& model() const = 0;
    // One unit-length vector a text, in order. Batches of at most `batch_size` texts go out one after another.
    // Recorded as one TOOL span "embed" per call with the number of texts. Errors as chat().
    virtual asio::awaitable<Result<std::vector<std::vector<float>>>> embed(event::Context context, std::vector<std::string> texts) = 0;
};

}  // namespace plimsoll::llm
