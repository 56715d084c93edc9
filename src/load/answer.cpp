#include "load/answer.h"

#include <fmt/format.h>

namespace plimsoll::load {

void Answer::add_piece(std::string_view piece, Clock::time_point now) {
    if (!first) first = now;
    ++pieces;
    if (keep_tokens) {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - start).count();
        token_us.push_back(static_cast<std::uint32_t>(us));
    }
    if (keep_text) text += piece;
}

void Answer::fail_with(ErrorCode code, std::string message) {
    if (!error) error = Error{code, std::move(message)};
}

}  // namespace plimsoll::load
