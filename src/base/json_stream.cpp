#include "base/json_stream.h"

namespace plimsoll {

void JsonStream::newline() {
    block_ += '\n';
    block_.append(2 * static_cast<std::size_t>(depth()), ' ');
}

// Whatever goes in front of the next value or key.
void JsonStream::place() {
    if (after_key_ || levels_.empty()) {
        after_key_ = false;
        return;
    }
    if (!levels_.back().empty) block_ += ',';
    levels_.back().empty = false;
    newline();
}

void JsonStream::begin(char bracket) {
    place();
    block_ += bracket;
    levels_.push_back({bracket});
}

void JsonStream::end() {
    const Level level = levels_.back();
    levels_.pop_back();
    if (!level.empty) newline();
    block_ += level.bracket == '{' ? '}' : ']';
}

void JsonStream::key(std::string_view name) {
    place();
    append_pretty_json(block_, json::value(name), depth(), escape_);
    block_ += ": ";
    after_key_ = true;
}

void JsonStream::value(const json::value& value) {
    constexpr std::size_t kBlock = 1 << 16;
    place();
    append_pretty_json(block_, value, depth(), escape_);
    if (block_.size() >= kBlock) flush();
}

void JsonStream::flush() {
    sink_(block_);
    block_.clear();
}

}  // namespace plimsoll
