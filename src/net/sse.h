// Server-sent events (WHATWG HTML, section 9.2), parsed from pieces of any size, and NAT's dialect of them.
//
//   SseParser parser([](std::string_view field, std::string_view value) { … });
//   parser.feed(bytes); …; parser.finish();
//
// It reports each `field: value` line as it completes (one leading space of the value removed), and ("", "") for the
// blank line that ends an event. Comments are dropped. A line without a colon is a field with an empty value, as the
// standard says; NAT's bare JSON error line arrives as such and is told by its leading '{', which is why a line that starts
// with '{' is reported whole as field "{".
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

    // Errors: limit when a line exceeds kMaxLineBytes; the parser is then unusable.
    Result<void> feed(std::string_view bytes);
    // The stream ended: a last line without its newline counts.
    void finish();

  private:
    void take_line(std::string_view line);
    OnLine on_line_;
    std::string partial_;
    bool skip_newline_ = false;  // the previous piece ended in '\r'
};

// "field: value\n"-style output.
std::string sse_record(std::string_view field, std::string_view value);  // with the closing blank line

}  // namespace plimsoll::net
