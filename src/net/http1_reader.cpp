#include "net/http1_reader.h"

#include <boost/beast/core/string.hpp>
#include <charconv>
#include <utility>

namespace plimsoll::net {
namespace {

using boost::beast::iequals;

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class T>
bool read_number(std::string_view text, T& out, int base = 10) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// One of a comma-separated list, any case.
bool has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (iequals(trim(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace

Result<std::size_t> Http1Reader::feed(std::string_view bytes, const OnBody& on_body) {
    const std::size_t size = bytes.size();
    started_ = started_ || size > 0;
    while (!bytes.empty() && !done()) {
        if (state_ == State::body || state_ == State::chunk || state_ == State::body_until_close) {
            bytes.remove_prefix(take_body(bytes, on_body));
            continue;
        }
        const std::size_t newline = bytes.find('\n');
        const std::string_view part = bytes.substr(0, newline);
        if (partial_.size() + part.size() > kMaxLineBytes) return fail(ErrorCode::limit, "a line of the answer's head is too long");
        if (newline == std::string_view::npos) {
            partial_ += part;
            return size;
        }
        std::string kept;
        std::string_view line = part;
        if (!partial_.empty()) {
            kept = std::exchange(partial_, {});
            kept += part;
            line = kept;
        }
        if (line.ends_with('\r')) line.remove_suffix(1);
        bytes.remove_prefix(newline + 1);
        PLIMSOLL_TRY(take_line(line));
    }
    return size - bytes.size();
}

Result<void> Http1Reader::end_of_stream() {
    if (state_ == State::body_until_close) state_ = State::done;
    if (done()) return {};
    return fail(ErrorCode::bad_response, has_head_ ? "the answer was cut short" : "the connection was closed without an answer");
}

Result<void> Http1Reader::take_line(std::string_view line) {
    switch (state_) {
        case State::status_line: return take_status_line(line);
        case State::header: return take_header(line);
        case State::chunk_size: return take_chunk_size(line);
        case State::chunk_end:
            if (!line.empty()) return fail(ErrorCode::bad_response, "a chunk of the answer is longer than it says");
            state_ = State::chunk_size;
            return {};
        case State::trailer:
            if (line.empty()) state_ = State::done;
            return {};
        default: PLIMSOLL_CHECK(false, "a body has no lines"); return {};
    }
}

// "HTTP/1.1 200 OK"
Result<void> Http1Reader::take_status_line(std::string_view line) {
    constexpr std::size_t kStatusAt = 9, kStatusEnd = 12;
    int status = 0;
    if (!line.starts_with("HTTP/1.") || line.size() < kStatusEnd || !read_number(line.substr(kStatusAt, 3), status) || status < 100)
        return fail(ErrorCode::bad_response, "the answer is not HTTP");
    status_ = status;
    keep_alive_ = line[7] != '0';
    state_ = State::header;
    return {};
}

Result<void> Http1Reader::take_header(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxHeaderBytes) return fail(ErrorCode::limit, "the answer's head is too long");
    if (line.empty()) {
        end_head();
        return {};
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return fail(ErrorCode::bad_response, "a header of the answer has no colon");
    const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (iequals(name, "content-length")) {
        if (!read_number(value, left_)) return fail(ErrorCode::bad_response, "the answer's Content-Length is no number");
        has_length_ = true;
    } else if (iequals(name, "transfer-encoding")) {
        chunked_ = has_token(value, "chunked");
    } else if (iequals(name, "connection")) {
        if (has_token(value, "close")) keep_alive_ = false;
        if (has_token(value, "keep-alive")) keep_alive_ = true;
    } else if (iequals(name, "content-type")) {
        content_type_ = value;
    } else if (iequals(name, "retry-after")) {
        unsigned seconds = 0;
        if (read_number(value, seconds)) retry_after_s_ = seconds;
    }
    return {};
}

void Http1Reader::end_head() {
    if (status_ < 200) {
        const std::size_t header_bytes = header_bytes_;
        reset();
        started_ = true;
        header_bytes_ = header_bytes;
        return;
    }
    has_head_ = true;
    constexpr int kNoContent = 204, kNotModified = 304;
    if (status_ == kNoContent || status_ == kNotModified) {
        state_ = State::done;
    } else if (chunked_) {
        state_ = State::chunk_size;
    } else if (has_length_) {
        state_ = left_ == 0 ? State::done : State::body;
    } else {
        until_close_ = true;
        state_ = State::body_until_close;
    }
}

// "1a2b;extension"
Result<void> Http1Reader::take_chunk_size(std::string_view line) {
    if (!read_number(trim(line.substr(0, line.find(';'))), left_, 16))
        return fail(ErrorCode::bad_response, "a chunk of the answer has no size");
    state_ = left_ == 0 ? State::trailer : State::chunk;
    return {};
}

std::size_t Http1Reader::take_body(std::string_view bytes, const OnBody& on_body) {
    if (state_ == State::body_until_close) {
        on_body(bytes);
        return bytes.size();
    }
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    left_ -= count;
    if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::done;
    on_body(bytes.substr(0, count));
    return count;
}

}  // namespace plimsoll::net
