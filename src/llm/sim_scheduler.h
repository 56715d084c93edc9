// Runs a timeline in real time for all requests of the simulated model server: one timer, whatever the number of streams. A handler
// submits its job, then waits on its ticket for tokens to be due.
//
// Usage: spawn run(), which only cancellation ends, and cancel it when the last ticket has gone.
// Thread: the executor's one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_map>

#include "llm/sim_stats.h"
#include "llm/sim_timeline.h"
#include "net/http_server.h"

namespace plimsoll::llm {

namespace asio = boost::asio;

// How soon a waiting handler notices that its client has left.
inline constexpr std::chrono::milliseconds kSimLeaveCheck{250};

class SimTicket;

class SimScheduler {
  public:
    SimScheduler(asio::any_io_executor executor, std::unique_ptr<SimTimeline> timeline, SimStats& stats);
    SimScheduler(const SimScheduler&) = delete;
    SimScheduler& operator=(const SimScheduler&) = delete;

    asio::awaitable<void> run();
    std::vector<SimLoad> load() const { return timeline_->load(); }

  private:
    friend class SimTicket;
    using Clock = std::chrono::steady_clock;

    SimTime now() const { return Clock::now() - begin_; }
    Result<void> submit(SimTicket& ticket, SimJob job);
    void leave(std::uint64_t id);
    void set_timer();
    void deliver();
    void deliver(const SimEvent& event);

    asio::any_io_executor executor_;
    std::unique_ptr<SimTimeline> timeline_;
    SimStats& stats_;
    Clock::time_point begin_ = Clock::now();
    asio::steady_timer timer_;
    std::uint64_t last_id_ = 0;
    std::unordered_map<std::uint64_t, SimTicket*> tickets_;
    std::vector<SimEvent> events_;  // reused
};

// One request's place in the timeline, given up with its end.
class SimTicket {
  public:
    explicit SimTicket(SimScheduler& scheduler) : scheduler_(scheduler), timer_(scheduler.executor_) {}
    ~SimTicket();
    SimTicket(const SimTicket&) = delete;
    SimTicket& operator=(const SimTicket&) = delete;

    // Once; the job's id is set here. Errors: those of SimTimeline::submit().
    Result<void> submit(SimJob job) { return scheduler_.submit(*this, job); }

    // Until the job has left the queue. False when the client left first.
    asio::awaitable<bool> wait_for_start(const net::ServerResponse& response);
    // Until at least `count` tokens are due. False when the client left first.
    asio::awaitable<bool> wait_for_tokens(int count, const net::ServerResponse& response);
    int tokens() const { return tokens_; }  // that are due

  private:
    friend class SimScheduler;
    void take(const SimEvent& event, SimStats& stats);
    asio::awaitable<bool> wait(const net::ServerResponse& response);
    bool is_ready() const { return wants_start_ ? started_ : tokens_ >= wanted_; }

    SimScheduler& scheduler_;
    asio::steady_timer timer_;  // only ever cancelled, but for the look after the client
    std::uint64_t id_ = 0;      // 0 = not submitted, or finished
    int prompt_tokens_ = 0;
    SimTime arrival_{0}, start_{0}, first_token_{0}, last_token_{0};
    int tokens_ = 0;
    bool started_ = false;
    bool waits_ = false;
    bool wants_start_ = false;
    int wanted_ = 0;
};

}  // namespace plimsoll::llm
