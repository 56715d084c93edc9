#include "llm/sim_scheduler.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace plimsoll::llm {
namespace {

double to_seconds(SimTime time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

SimScheduler::SimScheduler(asio::any_io_executor executor, std::unique_ptr<SimTimeline> timeline, SimStats& stats)
    : executor_(std::move(executor)), timeline_(std::move(timeline)), stats_(stats), timer_(executor_) {}

asio::awaitable<void> SimScheduler::run() {
    for (;;) {
        deliver();
        set_timer();
        // Woken early by set_timer(), or ended: a cancelled coroutine throws at the next wait.
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

// Setting a timer wakes whoever waits for it.
void SimScheduler::set_timer() {
    const auto next = timeline_->next();
    const auto at = next ? begin_ + *next : Clock::time_point::max();
    if (at != timer_.expiry()) timer_.expires_at(at);
}

Result<void> SimScheduler::submit(SimTicket& ticket, SimJob job) {
    job.id = last_id_ + 1;
    const SimTime arrival = now();
    PLIMSOLL_TRY(timeline_->submit(arrival, job));
    ticket.id_ = ++last_id_;
    ticket.arrival_ = arrival;
    ticket.prompt_tokens_ = job.prompt_tokens;
    tickets_.emplace(ticket.id_, &ticket);
    set_timer();
    return {};
}

void SimScheduler::leave(std::uint64_t id) {
    tickets_.erase(id);
    timeline_->leave(now(), id);
    set_timer();
}

void SimScheduler::deliver() {
    events_.clear();
    const SimTime time = now();
    timeline_->advance(time, events_);
    if (!events_.empty()) stats_.observe_lateness(to_seconds(time - events_.front().at));
    for (const SimEvent& event : events_) deliver(event);
}

void SimScheduler::deliver(const SimEvent& event) {
    if (event.kind == SimEvent::Kind::step) return stats_.step_tokens.observe(event.tokens);
    const auto found = tickets_.find(event.id);
    if (found == tickets_.end()) return;
    SimTicket& ticket = *found->second;
    ticket.take(event, stats_);
    if (event.kind != SimEvent::Kind::finished) return;
    ticket.id_ = 0;  // nothing is left to give up
    tickets_.erase(found);
}

SimTicket::~SimTicket() {
    if (id_ != 0) scheduler_.leave(id_);
}

void SimTicket::take(const SimEvent& event, SimStats& stats) {
    switch (event.kind) {
        case SimEvent::Kind::started:
            started_ = true;
            start_ = event.at;
            stats.queue_time.observe(to_seconds(start_ - arrival_));
            break;
        case SimEvent::Kind::token:
            if (tokens_++ == 0) {
                first_token_ = event.at;
                stats.ttft.observe(to_seconds(event.at - arrival_));
                stats.prefill_time.observe(to_seconds(event.at - start_));
            } else {
                stats.itl.observe(to_seconds(event.at - last_token_));
            }
            last_token_ = event.at;
            break;
        case SimEvent::Kind::finished:
            stats.e2e_time.observe(to_seconds(event.at - arrival_));
            stats.decode_time.observe(to_seconds(event.at - first_token_));
            stats.request_prompt_tokens.observe(prompt_tokens_);
            stats.request_generation_tokens.observe(tokens_);
            break;
        case SimEvent::Kind::preempted:
        case SimEvent::Kind::step: break;  // counted by the timeline
    }
    if (waits_ && is_ready()) timer_.cancel();
}

asio::awaitable<bool> SimTicket::wait_for_start(const net::ServerResponse& response) {
    wants_start_ = true;
    return wait(response);
}

asio::awaitable<bool> SimTicket::wait_for_tokens(int count, const net::ServerResponse& response) {
    wants_start_ = false;
    wanted_ = count;
    return wait(response);
}

asio::awaitable<bool> SimTicket::wait(const net::ServerResponse& response) {
    while (!is_ready()) {
        timer_.expires_after(kSimLeaveCheck);
        waits_ = true;
        const auto [error] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        waits_ = false;
        // A short wait ends in a write, which notices by itself that nobody reads.
        if (!error && response.client_gone()) co_return false;
    }
    co_return true;
}

}  // namespace plimsoll::llm
