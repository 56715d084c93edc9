// The chunks of one streamed answer differ, as a rule, in their text alone. What stands around it is remembered from a chunk that was
// parsed; a chunk of the same shape need not be. Exact: between the same bytes, a text without quotes, backslashes and control
// characters makes the same JSON with another string in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace plimsoll::load {

class ChunkShape {
  public:
    // `chunk` is JSON whose string member `key` was found to be `text`, and that says nothing else of use.
    void learn(std::string_view chunk, std::string_view key, std::string_view text);

    // The text of a chunk of this shape. Nothing: parse it.
    std::optional<std::string_view> text_of(std::string_view chunk) const;

  private:
    std::string before_, after_;  // including the quotes; empty: nothing learnt
};

}  // namespace plimsoll::load
