// ChatModel over the OpenAI wire format: POST {base_url}/chat/completions, streamed or whole.
//
// Thread: any number of io threads at once; a call stays on the thread that made it. The model outlives its calls.
// Each call is one LLM span named by the model: every delta is an LLM_NEW_TOKEN with the text as it came; the END carries
// output, token usage and in its metadata finish_reason, reasoning (when there was some), usage_estimated (when the server
// counted nothing) and attempts (when more than one).
#pragma once

#include <optional>
#include <string>

#include "llm/chat.h"
#include "llm/chat_stream.h"
#include "llm/openai_endpoint.h"

namespace plimsoll::llm {

// What the configuration says; a request's own values win.
struct ChatDefaults {
    std::string model;
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<int> max_tokens;
    std::optional<std::int64_t> seed;
    json::object extra;       // further body fields
    std::string system_line;  // put in front of the system message; empty = none
};

class OpenAiChat final : public ChatModel {
  public:
    OpenAiChat(std::string name, Endpoint endpoint, ChatDefaults defaults);

    const std::string& name() const override { return name_; }
    const std::string& model() const override { return defaults_.model; }
    // An error of the HTTP layer after the last piece of a complete answer is none.
    asio::awaitable<Result<ChatResult>> chat(event::Context context, ChatRequest request, OnPiece on_piece) override;

  private:
    asio::awaitable<Result<ChatResult>> ask(event::ScopedSpan& span, const ChatRequest& request, const OnPiece& on_piece);
    asio::awaitable<Result<ChatResult>> ask_whole(net::HttpRequest request, const OnPiece& on_piece);
    asio::awaitable<Result<ChatResult>> ask_streaming(net::HttpRequest request, ChatStream& stream);

    std::string name_;
    Endpoint endpoint_;
    ChatDefaults defaults_;
};

// The request's body. Fields that plimsoll knows win over `extra` ones of the same name, the request's over the defaults.
json::object make_chat_body(const ChatDefaults& defaults, const ChatRequest& request);

}  // namespace plimsoll::llm
