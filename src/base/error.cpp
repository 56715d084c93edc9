#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace plimsoll {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return "invalid_argument";
        case ErrorCode::config: return "config";
        case ErrorCode::not_found: return "not_found";
        case ErrorCode::parse: return "parse";
        case ErrorCode::io: return "io";
        case ErrorCode::no_space: return "no_space";
        case ErrorCode::in_use: return "in_use";
        case ErrorCode::connect: return "connect";
        case ErrorCode::timeout: return "timeout";
        case ErrorCode::cancelled: return "cancelled";
        case ErrorCode::http_status: return "http_status";
        case ErrorCode::bad_response: return "bad_response";
        case ErrorCode::limit: return "limit";
        case ErrorCode::unsupported: return "unsupported";
        case ErrorCode::internal: return "internal";
    }
    return "internal";
}

Error Error::with_context(std::string_view context) const {
    Error out = *this;
    out.message = std::string(context) + ": " + message;
    return out;
}

Error errno_error(std::string_view doing, int error_number) {
    ErrorCode code = ErrorCode::io;
    if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) code = ErrorCode::no_space;
    if (error_number == ENOENT) code = ErrorCode::not_found;
    if (error_number == EADDRINUSE) code = ErrorCode::in_use;
    return {code, std::string(doing) + ": " + std::strerror(error_number)};
}

void check_failed(std::string_view condition, std::string_view detail, std::source_location where) {
    std::fprintf(stderr, "%s:%u: check failed: %.*s (%.*s)\n", where.file_name(), where.line(), int(condition.size()), condition.data(),
                 int(detail.size()), detail.data());
    std::abort();
}

}  // namespace plimsoll
