// The values of a JSON text one at a time, so that a text of some hundred megabytes needs no tree of its whole: the elements of an
// array, or values one after another (JSON lines). Damage costs the value it is in and nothing else.
//
//   JsonValues values(text);
//   while (auto value = values.next())
//       if (*value) use(**value); else note(value->error(), values.offset());
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace plimsoll {

class JsonValues {
  public:
    // `text` must outlive this. Whether it is an array shows in its first character.
    explicit JsonValues(std::string_view text);

    // The next value; parse for a damaged stretch, which is passed over; nothing at the end. After damage reading goes on where something
    // begins as the first value did: with the same white space in front, the same bracket and the same first key.
    //
    // Python's NaN and Infinity are no JSON; they are read as null.
    std::optional<Result<json::value>> next();

    // After the end: the text ended inside a value, or before its array did.
    bool cut_off() const { return cut_off_; }

    std::size_t offset() const { return offset_; }  // where what next() returned last begins
    std::size_t position() const { return at_; }    // where reading goes on; after the array's end when there is one
    bool is_array() const { return is_array_; }

  private:
    void learn_marker();
    void skip_separators();
    void skip_damage();

    std::string_view text_;
    std::string marker_;  // how the first value begins
    std::size_t at_ = 0;
    std::size_t offset_ = 0;
    bool is_array_ = false;
    bool closed_ = false;  // the array's end was seen
    bool cut_off_ = false;
};

}  // namespace plimsoll
