// One request to the simulated model server from its arrival to its end: waits, sends and misbehaves as it was told.
// Lives in its handler's coroutine, on the server's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/random.h"
#include "llm/sim_answer.h"
#include "llm/sim_options.h"
#include "llm/sim_slots.h"
#include "llm/sim_stats.h"
#include "llm/sim_wire.h"
#include "net/http_server.h"

namespace plimsoll::llm {

class SimExchange {
  public:
    using Clock = std::chrono::steady_clock;

    // Counts the request as open until destroyed. All references outlive it.
    SimExchange(const SimOptions& options, SimStats& stats, SimSlots& slots, net::ServerResponse& response);
    ~SimExchange();
    SimExchange(const SimExchange&) = delete;
    SimExchange& operator=(const SimExchange&) = delete;

    // The header x-sim-fault decides, then the script's rule (may be null), then chance. Errors: invalid_argument.
    Result<void> choose_fault(const net::Headers& headers, const SimRule* rule);
    Random& random() { return random_; }

    // Answers with a 400.
    asio::awaitable<void> reject(Error error);
    // True when the fault needs neither slot nor answer; the exchange is then over.
    asio::awaitable<bool> fails_at_once();
    // Waits for a slot, held until destroyed. False when the client left; the exchange is then over.
    asio::awaitable<bool> enter();

    // After enter(), one of these. `answer` is what tokens and timing are taken from.
    asio::awaitable<void> stream(const SimWriter& writer, const SimAnswer& answer, bool include_usage);
    asio::awaitable<void> send(const SimAnswer& answer, std::string body);
    // Due after ttft, as embeddings are.
    asio::awaitable<void> send(std::string body);

  private:
    asio::awaitable<bool> wait_until(Clock::time_point point);
    asio::awaitable<void> wait_for_leaving();
    asio::awaitable<void> send_at(Clock::time_point due, std::string body);
    asio::awaitable<bool> write(std::string piece);
    Clock::time_point first_due();
    Clock::duration vary(std::chrono::microseconds span);
    void observe_first_token();

    const SimOptions& options_;
    SimStats& stats_;
    SimSlots& slots_;
    net::ServerResponse& response_;
    Random random_;
    Clock::time_point arrival_ = Clock::now();
    SimFault fault_ = SimFault::none;
    SimSlots::Slot slot_;
};

}  // namespace plimsoll::llm
