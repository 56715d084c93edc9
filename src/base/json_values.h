// The values of a JSON text one at a time, so that a text of any length needs neither a tree of its whole nor to be in memory: the
// elements of an array, or values one after another (JSON lines). Damage costs the value it is in and nothing else.
//
//   JsonValues values(text);
//   while (auto value = values.next())
//       if (*value) use(**value); else note(value->error(), values.offset());
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text_window.h"

namespace plimsoll {

class JsonValues {
  public:
    // `text` or `window` must outlive this. Whether it is an array shows in its first character.
    explicit JsonValues(std::string_view text);
    explicit JsonValues(TextWindow& window);

    // The next value; parse for a damaged stretch, which is passed over; nothing at the end. After damage reading goes on where something
    // begins as the first value did: with the same white space in front, the same bracket and the same first key.
    //
    // Python's NaN and Infinity are no JSON; they are read as null.
    std::optional<Result<json::value>> next();

    // After the end: the text ended inside a value, or before its array did.
    bool cut_off() const { return cut_off_; }

    std::uint64_t offset() const { return offset_; }               // where what next() returned last begins
    std::uint64_t position() const { return window_.position(); }  // where reading goes on; after the array's end when there is one
    bool is_array() const { return is_array_; }

  private:
    void begin();
    void learn_marker();
    void skip_separators();
    void skip_damage();
    std::size_t find_first_not_space(std::size_t from);
    Result<json::value> parse(std::size_t& used);

    std::unique_ptr<TextWindow> own_;
    TextWindow& window_;
    std::string marker_;  // how the first value begins
    std::uint64_t offset_ = 0;
    bool is_array_ = false;
    bool closed_ = false;  // the array's end was seen
    bool cut_off_ = false;
};

}  // namespace plimsoll
