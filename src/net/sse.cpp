#include "net/sse.h"

namespace plimsoll::net {

Result<void> SseParser::feed(std::string_view bytes) {
    if (overflowed_) return overflow();
    if (skip_newline_ && !bytes.empty()) {
        if (bytes.front() == '\n') bytes.remove_prefix(1);
        skip_newline_ = false;
    }
    while (!bytes.empty()) {
        const std::size_t end = bytes.find_first_of("\r\n");
        const std::string_view part = bytes.substr(0, end);
        if (partial_.size() + part.size() > kMaxLineBytes) return overflow();
        if (end == std::string_view::npos) {
            partial_ += part;
            return {};
        }
        if (partial_.empty()) {
            take_line(part);
        } else {
            partial_ += part;
            take_line(partial_);
            partial_.clear();
        }
        const bool carriage_return = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (!carriage_return) continue;
        // The line is reported now; its '\n' may be the first byte of a piece that comes much later.
        if (bytes.empty()) {
            skip_newline_ = true;
        } else if (bytes.front() == '\n') {
            bytes.remove_prefix(1);
        }
    }
    return {};
}

void SseParser::finish() {
    if (!partial_.empty()) take_line(partial_);
    partial_.clear();
}

void SseParser::take_line(std::string_view line) {
    static constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (first_line_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    first_line_ = false;
    if (line.starts_with(':')) return;
    if (line.starts_with('{')) return on_line_("{", line);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return on_line_(line, "");
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    on_line_(line.substr(0, colon), value);
}

Result<void> SseParser::overflow() {
    overflowed_ = true;
    std::string().swap(partial_);
    return fail(ErrorCode::limit, "a line of the event stream exceeds " + std::to_string(kMaxLineBytes) + " bytes");
}

std::string sse_record(std::string_view field, std::string_view value) {
    std::string out;
    out.reserve(field.size() + value.size() + 4);
    for (;;) {
        const std::size_t end = value.find_first_of("\r\n");
        const std::string_view line = value.substr(0, end);
        out.append(field).append(": ").append(line).append("\n");
        if (end == std::string_view::npos) break;
        const bool pair = value.substr(end).starts_with("\r\n");
        value.remove_prefix(end + (pair ? 2 : 1));
    }
    out += '\n';
    return out;
}

}  // namespace plimsoll::net
