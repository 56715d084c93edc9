// Answers of POST /chat/completions, from bytes to a ChatResult: streamed ones as they arrive, others whole.
//
//   ChatStream stream(on_delta, on_piece);
//   stream.feed(bytes); …                       // stop at the first error
//   Result<ChatResult> result = stream.finish();
//
// `on_delta` gets the text of every delta unchanged, reasoning included (what a recorder wants); `on_piece` gets it split
// into answer and reasoning with the tags gone, a few bytes later at times. Neither is called for empty text.
// Only the first choice is read. Errors: bad_response (malformed line, no event stream at all, a stream that ends without
// [DONE] and without a finish_reason), http_status or bad_response of an {"error": …} line, limit (a line too long).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "llm/chat.h"
#include "llm/openai_endpoint.h"
#include "llm/think_splitter.h"
#include "net/sse.h"

namespace plimsoll::llm {

using OnDelta = std::function<void(std::string_view text)>;

class ChatStream {
  public:
    ChatStream(OnDelta on_delta, OnPiece on_piece);
    ChatStream(const ChatStream&) = delete;
    ChatStream& operator=(const ChatStream&) = delete;

    // After an error every further call returns the same one.
    Result<void> feed(std::string_view bytes);

    // The connection ended, cleanly or not. Without a usage of the server's, `usage_estimated` is set and completion_tokens
    // is the number of deltas; prompt tokens are the caller's to estimate.
    Result<ChatResult> finish();

    // The whole answer has arrived; what may still follow are usage and the end of the connection.
    bool complete() const { return done_ || !result_.finish_reason.empty(); }
    std::int64_t deltas() const { return deltas_; }
    // The answer so far, for a call that failed on the way.
    const std::string& partial_answer() const { return splitter_.answer(); }

    // The body of an answer that was not streamed. Errors: bad_response (no JSON, no choices), http_status. Without a usage
    // of the server's, completion_tokens is characters / 4.
    static Result<ChatResult> parse_whole(std::string_view body, OnPiece on_piece);

  private:
    void take_line(std::string_view field, std::string_view value);
    Result<void> take_event(const json::value& event);
    Result<void> take_message(const json::value& message);
    void take_usage(const json::value& usage);
    Result<ChatResult> assemble();

    OnDelta on_delta_;
    ThinkSplitter splitter_;
    net::SseParser parser_;
    std::string beginning_;  // of the body, for the error text when it is no event stream
    std::optional<Error> error_;
    ChatResult result_;
    std::int64_t deltas_ = 0;
    bool saw_event_ = false;
    bool saw_choice_ = false;
    bool saw_usage_ = false;
    bool done_ = false;
};

// Tokens of a text by the rule of thumb of four characters each, rounded up.
std::int64_t estimate_tokens(std::size_t characters);

}  // namespace plimsoll::llm
