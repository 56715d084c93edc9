// One HTTP/1.1 answer read from pieces of any size, for LeanHttpClient. No input or output here.
//
//   Http1Reader reader;
//   while (!reader.done()) reader.feed(bytes, on_body);    // or reader.end_of_stream() when the connection closed
//
// Interim (1xx) answers are passed over. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace plimsoll::net {

class Http1Reader {
  public:
    using OnBody = std::function<void(std::string_view piece)>;
    static constexpr std::size_t kMaxLineBytes = 64u << 10;
    static constexpr std::size_t kMaxHeaderBytes = 256u << 10;

    // Body bytes go to `on_body`, decoded. Returns how many of `bytes` belong to this answer; fewer than all only once done().
    // Errors: bad_response (no HTTP, a malformed chunk), limit (a line or header too long, more chunk digits than a size has).
    Result<std::size_t> feed(std::string_view bytes, const OnBody& on_body);
    // The peer closed. Errors: bad_response when the answer was not complete.
    Result<void> end_of_stream();

    bool done() const { return state_ == State::done; }
    bool started() const { return started_; }    // any byte arrived
    int status() const { return status_; }       // 0 before the head
    bool has_head() const { return has_head_; }  // status and headers are final
    // The connection may carry another request.
    bool keep_alive() const { return keep_alive_ && !until_close_; }
    const std::string& content_type() const { return content_type_; }
    double retry_after_s() const { return retry_after_s_; }  // < 0: not said in seconds

    void reset() { *this = Http1Reader(); }

  private:
    enum class State : std::uint8_t { status_line, header, body, body_until_close, chunk_size, chunk, chunk_end, trailer, done };

    Result<void> take_line(std::string_view line);
    Result<void> take_status_line(std::string_view line);
    Result<void> take_header(std::string_view line);
    Result<void> take_chunk_size(std::string_view line);
    void end_head();
    std::size_t take_body(std::string_view bytes, const OnBody& on_body);

    State state_ = State::status_line;
    bool started_ = false;
    bool has_head_ = false;
    bool keep_alive_ = true;
    bool chunked_ = false;
    bool has_length_ = false;
    bool until_close_ = false;
    int status_ = 0;
    double retry_after_s_ = -1;
    std::uint64_t left_ = 0;  // of the body or chunk
    std::size_t header_bytes_ = 0;
    std::string content_type_;
    std::string partial_;  // of a line that is split between pieces
};

}  // namespace plimsoll::net
