// One request to the simulated model server from its arrival to its end: waits, sends and misbehaves as it was told.
// Lives in its handler's coroutine, on the server's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "base/random.h"
#include "llm/sim_answer.h"
#include "llm/sim_options.h"
#include "llm/sim_scheduler.h"
#include "llm/sim_stats.h"
#include "llm/sim_wire.h"
#include "net/http_server.h"

namespace plimsoll::llm {

class SimExchange {
  public:
    // Counts the request as open until destroyed. All references outlive it.
    SimExchange(const SimOptions& options, SimStats& stats, SimScheduler& scheduler, net::ServerResponse& response);
    ~SimExchange();
    SimExchange(const SimExchange&) = delete;
    SimExchange& operator=(const SimExchange&) = delete;

    // The header x-sim-fault decides, then the script's rule (may be null), then chance. Errors: invalid_argument.
    Result<void> choose_fault(const net::Headers& headers, const SimRule* rule);
    Random& random() { return random_; }

    // Answers with a 400, or with a 503 for an error `limit`.
    asio::awaitable<void> reject(Error error);
    // True when the fault needs neither place nor answer; the exchange is then over.
    asio::awaitable<bool> fails_at_once();

    // One of these, which waits in the queue first. `session` is what routing by session goes by, 0 = none. A whole answer comes when
    // its stream would end; one that is no text (`prompt_tokens` went into it) with its only token.
    asio::awaitable<void> stream(const SimWriter& writer, const SimAnswer& answer, bool include_usage, std::uint64_t session);
    asio::awaitable<void> send(const SimAnswer& answer, std::string body, std::uint64_t session);
    asio::awaitable<void> send(int prompt_tokens, std::string body, std::uint64_t session);

  private:
    // False when there is no place for it; the exchange is then over.
    asio::awaitable<bool> submit(int prompt_tokens, std::size_t output_tokens, std::uint64_t session);
    asio::awaitable<bool> start_stream();
    asio::awaitable<bool> wait_for_tokens(std::size_t count);
    asio::awaitable<void> wait_for_leaving();
    asio::awaitable<bool> send_whole(std::string body);
    asio::awaitable<bool> write(std::string piece);
    // Counts an answer that reached its client in full.
    void complete(std::string_view finish_reason);

    const SimOptions& options_;
    SimStats& stats_;
    net::ServerResponse& response_;
    Random random_;
    SimFault fault_ = SimFault::none;
    SimTicket ticket_;
};

}  // namespace plimsoll::llm
