#include "load/chunk_shape.h"

#include <algorithm>

namespace plimsoll::load {
namespace {

// Stands for itself in a JSON string, whatever the encoding.
bool is_plain(char c) { return c >= ' ' && c < '\x7f' && c != '"' && c != '\\'; }

}  // namespace

void ChunkShape::learn(std::string_view chunk, std::string_view key, std::string_view text) {
    before_.clear();
    std::size_t at = chunk.find(std::string(1, '"').append(key).append("\":"));
    if (at == std::string_view::npos) return;
    at = chunk.find_first_not_of(" \t", at + key.size() + 3);
    if (at == std::string_view::npos || chunk[at] != '"') return;
    const std::string_view rest = chunk.substr(at + 1);
    if (!rest.starts_with(text) || !rest.substr(text.size()).starts_with('"') || !std::ranges::all_of(text, is_plain)) return;
    before_ = chunk.substr(0, at + 1);
    after_ = rest.substr(text.size());
}

std::optional<std::string_view> ChunkShape::text_of(std::string_view chunk) const {
    if (before_.empty() || chunk.size() < before_.size() + after_.size() || !chunk.starts_with(before_) || !chunk.ends_with(after_))
        return std::nullopt;
    const std::string_view text = chunk.substr(before_.size(), chunk.size() - before_.size() - after_.size());
    return std::ranges::all_of(text, is_plain) ? std::optional(text) : std::nullopt;
}

}  // namespace plimsoll::load
