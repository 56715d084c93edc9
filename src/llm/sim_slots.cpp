#include "llm/sim_slots.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace plimsoll::llm {

// A place in the queue for as long as it lives. A slot that was granted to it but not taken, because the handler was
// cancelled in between, goes to the next one.
class SimSlots::Waiter {
  public:
    explicit Waiter(SimSlots& slots) : slots_(slots), timer_(slots.executor_), place_(slots.queue_.insert(slots.queue_.end(), this)) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        if (granted_) {
            if (!taken_) slots_.release();
        } else {
            slots_.queue_.erase(place_);
        }
    }

    // The queue has let go of it.
    void grant() {
        granted_ = true;
        timer_.cancel();
    }
    bool granted() const { return granted_; }
    Slot take() {
        taken_ = true;
        return Slot(&slots_);
    }
    asio::steady_timer& timer() { return timer_; }

  private:
    SimSlots& slots_;
    asio::steady_timer timer_;
    std::list<Waiter*>::iterator place_;
    bool granted_ = false;
    bool taken_ = false;
};

asio::awaitable<SimSlots::Slot> SimSlots::enter(const net::ServerResponse& response) {
    if (limit_ == 0 || running_ < limit_) {
        ++running_;
        co_return Slot(this);
    }
    Waiter waiter(*this);
    while (!waiter.granted()) {
        if (response.client_gone()) co_return Slot();
        waiter.timer().expires_after(kSimLeaveCheck);
        co_await waiter.timer().async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return waiter.take();
}

void SimSlots::release() {
    if (queue_.empty()) {
        --running_;
        return;
    }
    auto* next = queue_.front();
    queue_.pop_front();
    next->grant();
}

}  // namespace plimsoll::llm
