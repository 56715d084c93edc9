// Expected failures: Result<T> carries a value or an Error whose code tests and callers act on.
// A bug of ours is PLIMSOLL_CHECK, never an Error.
#pragma once

#include <cstdint>
#include <expected>
#include <source_location>
#include <string>
#include <string_view>

namespace plimsoll {

enum class ErrorCode : std::uint8_t {
    invalid_argument,  // a flag, a field or a request is wrong
    config,            // a configuration file is wrong
    not_found,         // a file, component or route does not exist
    parse,             // bytes from outside are not what they claim to be
    io,                // reading or writing a file failed
    no_space,          // the disk or a quota is full
    in_use,            // a port or a folder is taken
    connect,           // nobody answers at the address
    timeout,           // a deadline passed
    cancelled,         // somebody asked to stop
    http_status,       // a server answered with an error; Error::http_status has it
    bad_response,      // a server answered with something unusable (garbage, a cut stream)
    limit,             // a stated bound was reached
    unsupported,       // a known thing that this build does not do
    internal,          // anything else
};

std::string_view to_string(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    int http_status = 0;
    double retry_after_s = -1;  // of a 429 or 503 that said so; < 0 = not said

    // The same error with what was being done in front: "eval.yml:12: llms.nim: …".
    Error with_context(std::string_view context) const;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) { return std::unexpected(Error{code, std::move(message)}); }
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// The error of a failed system call: no_space for a full disk or quota, not_found, in_use, else io.
Error errno_error(std::string_view doing, int error_number);

[[noreturn]] void check_failed(std::string_view condition, std::string_view detail, std::source_location where);

}  // namespace plimsoll

#define PLIMSOLL_CHECK(condition, detail)                                                  \
    do {                                                                                   \
        if (!(condition)) [[unlikely]]                                                     \
            ::plimsoll::check_failed(#condition, detail, std::source_location::current()); \
    } while (false)

// Result<void>-returning early exit: TRY(save(path));
#define PLIMSOLL_TRY(expression)                                                                                               \
    do {                                                                                                                       \
        if (auto plimsoll_result = (expression); !plimsoll_result) return std::unexpected(std::move(plimsoll_result).error()); \
    } while (false)
