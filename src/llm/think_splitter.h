// Splits a model's text into the answer and the reasoning that some models write first, as <think>…</think>.
// Tags may be cut anywhere by the pieces the text arrives in.
//
//   ThinkSplitter splitter(on_piece);
//   splitter.feed(piece); …; splitter.finish();
//   splitter.answer(), splitter.reasoning()
//
// Edges: a block that is never closed is reasoning to the end. A closing tag before any opening one makes everything
// before it reasoning (chat templates that end the prompt in "<think>"); pieces of it have then been reported as answer
// already, only answer() and reasoning() know better. Inside a block "<think>" is plain text, and so is "</think>" in the
// answer once a block has ended. White space between a closing tag and the answer belongs to neither.
#pragma once

#include <string>
#include <string_view>

#include "llm/chat.h"

namespace plimsoll::llm {

class ThinkSplitter {
  public:
    explicit ThinkSplitter(OnPiece on_piece) : on_piece_(std::move(on_piece)) {}

    void feed(std::string_view text);
    // Text that the server marked as reasoning itself, outside the answer's text.
    void feed_reasoning(std::string_view text);
    // The text is over: what was held back as a possible start of a tag (at most 7 bytes) was text.
    void finish();

    const std::string& answer() const { return answer_; }
    const std::string& reasoning() const { return reasoning_; }

  private:
    void take_tag(bool opening);
    void emit(std::string_view text);

    OnPiece on_piece_;
    std::string pending_;
    std::string answer_;
    std::string reasoning_;
    bool in_reasoning_ = false;
    bool seen_tag_ = false;
    bool skip_space_ = false;
};

}  // namespace plimsoll::llm
