// A model server without a model, for load tests, demonstrations and the failures that a real one shows too seldom. It speaks
// OpenAI's wire format with stated timing and counts what it serves.
//
//   POST /v1/chat/completions, /v1/completions   stream or not; tools; response_format json_schema gets an instance of the schema
//   POST /v1/embeddings                          unit vectors, close for texts that share words
//   POST /v1/rerank, /v1/ranking                 Cohere's shape and NIM's
//   GET  /v1/models, /health, /metrics (vLLM's names and llama.cpp's), /v1/metrics (NIM's), /props, /sim/stats
//
// Any model name is served. Tokens come by a timeline (sim_timeline.h): fixed delays, or continuous batching when
// SimOptions::engine is set. Both keep an absolute schedule: a late token does not delay the next. A whole answer comes when its
// stream would end, an embedding or a ranking with the first token. The header `x-sim-fault: NAME` forces a fault (see
// sim_faults.h), "none" keeps one away; `x-session-id` is what routing by session goes by, before the body's "user".
//
// Usage: listen(), then spawn run(); stop() ends it and run() returns when the last handler has ended. Thread: all of it on the executor's
// one thread, except base_url() and port(), which are fixed after listen().
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "llm/sim_options.h"
#include "llm/sim_stats.h"

namespace plimsoll::llm {

namespace asio = boost::asio;

class SimServer {
  public:
    SimServer(asio::any_io_executor executor, SimOptions options);
    ~SimServer();  // after run() has returned

    // Loads the script and binds. Errors: invalid_argument (options, host), those of load_sim_script(), in_use.
    Result<std::uint16_t> listen();
    asio::awaitable<void> run();
    void stop();

    std::uint16_t port() const;
    std::string base_url() const;  // "http://HOST:PORT/v1"
    SimStats stats() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::llm
