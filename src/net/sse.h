// Server-sent events (WHATWG HTML, section 9.2), parsed from pieces of any size, and NAT's dialect of them.
//
//   SseParser parser([](std::string_view field, std::string_view value) { … });
//   parser.feed(bytes); …; parser.finish();
//
// It reports each `field: value` line as it completes (one leading space of the value removed), and ("", "") for the
// blank line that ends an event. Lines end in LF, CRLF or CR, a byte order mark at the start of the stream and comments are
// dropped. A line without a colon is a field with an empty value, as the standard says; NAT's bare JSON error line arrives
// as such and is told by its leading '{', which is why a line that starts with '{' is reported whole as the value of field "{".
//
// The views are valid during the callback only. Not thread-safe; the callback must not feed the same parser.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::net {

class SseParser {
  public:
    using OnLine = std::function<void(std::string_view field, std::string_view value)>;
    static constexpr std::size_t kMaxLineBytes = 16u << 20;

    explicit SseParser(OnLine on_line) : on_line_(std::move(on_line)) {}

    // Errors: limit when a line exceeds kMaxLineBytes; the parser is then unusable and says so again.
    Result<void> feed(std::string_view bytes);
    // The stream ended: a last line without its newline counts.
    void finish();

  private:
    void take_line(std::string_view line);
    Result<void> overflow();

    OnLine on_line_;
    std::string partial_;
    bool first_line_ = true;
    bool skip_newline_ = false;  // the previous piece ended in '\r'
    bool overflowed_ = false;
};

// One event with one field, closing blank line included: "field: value\n\n". A value of several lines becomes as many fields.
std::string sse_record(std::string_view field, std::string_view value);

}  // namespace plimsoll::net
