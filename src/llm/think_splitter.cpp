#include "llm/think_splitter.h"

#include <algorithm>

namespace plimsoll::llm {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";

// Length of the longest end of `text` that is a beginning of `tag`, but not all of it.
std::size_t partial_tag(std::string_view text, std::string_view tag) {
    for (std::size_t length = std::min(text.size(), tag.size() - 1); length > 0; --length)
        if (text.ends_with(tag.substr(0, length))) return length;
    return 0;
}

}  // namespace

void ThinkSplitter::feed(std::string_view text) {
    pending_ += text;
    std::string_view rest = pending_;
    for (;;) {
        const bool opens = !in_reasoning_;
        const bool closes = in_reasoning_ || !seen_tag_;
        const std::size_t open = opens ? rest.find(kOpen) : std::string_view::npos;
        const std::size_t close = closes ? rest.find(kClose) : std::string_view::npos;
        const std::size_t at = std::min(open, close);
        if (at == std::string_view::npos) {
            const std::size_t held = std::max(opens ? partial_tag(rest, kOpen) : 0, closes ? partial_tag(rest, kClose) : 0);
            emit(rest.substr(0, rest.size() - held));
            pending_.erase(0, pending_.size() - held);
            return;
        }
        emit(rest.substr(0, at));
        rest.remove_prefix(at + (open < close ? kOpen : kClose).size());
        take_tag(open < close);
    }
}

void ThinkSplitter::feed_reasoning(std::string_view text) {
    reasoning_ += text;
    if (on_piece_) on_piece_(text, true);
}

void ThinkSplitter::finish() {
    emit(pending_);
    pending_.clear();
}

void ThinkSplitter::take_tag(bool opening) {
    if (!opening && !seen_tag_) {
        reasoning_ += answer_;
        answer_.clear();
    }
    seen_tag_ = true;
    in_reasoning_ = opening;
    skip_space_ = !opening;
}

void ThinkSplitter::emit(std::string_view text) {
    if (skip_space_) {
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
        if (text.empty()) return;
        skip_space_ = false;
    }
    if (text.empty()) return;
    (in_reasoning_ ? reasoning_ : answer_) += text;
    if (on_piece_) on_piece_(text, in_reasoning_);
}

}  // namespace plimsoll::llm
