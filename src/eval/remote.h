// `--endpoint`: each item is asked of a running NAT-compatible server (its own `serve`, NAT's, or any that answers POST /generate/full).
#pragma once

#include <chrono>
#include <string>

#include "eval/runner.h"
#include "net/retry.h"

namespace plimsoll::eval {

struct RemoteOptions {
    std::string endpoint;                        // base URL; "/generate/full" is added
    std::chrono::milliseconds timeout{300'000};  // of one request, its whole answer included
    net::RetryPolicy retry{
        .attempts = 3, .initial = std::chrono::milliseconds(1000), .factor = 2, .max = std::chrono::milliseconds(30'000)};
};

// Sends {"input_message": question}. Steps go to the session as they arrive, with the server's own clock, and stay when the
// request fails later. Only the policy's statuses (429, 5xx) are asked again. Errors of an item: http_status with the
// server's words, connect, timeout, bad_response, internal (the server said that the workflow failed).
SessionRunner make_remote_runner(RemoteOptions options);

// Asks for GET /health, to see that somebody is there before a run is begun; any answer will do, and none within some seconds too, for
// a server may be busy. Blocks, so call it off the io threads. Errors: connect, invalid_argument.
Result<void> find_endpoint(net::IoPool& pool, const std::string& endpoint);

}  // namespace plimsoll::eval
