// How many requests the simulated model server works on at once; others wait in the order they came, as in a real one.
// Thread: the server's io thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <list>
#include <utility>

#include "net/http_server.h"

namespace plimsoll::llm {

namespace asio = boost::asio;

// How soon a waiting handler notices that its client has left or the server stops.
inline constexpr std::chrono::milliseconds kSimLeaveCheck{250};

class SimSlots {
  public:
    // `limit` 0 = no limit.
    SimSlots(asio::any_io_executor executor, std::size_t limit) : executor_(std::move(executor)), limit_(limit) {}
    SimSlots(const SimSlots&) = delete;
    SimSlots& operator=(const SimSlots&) = delete;

    // Held while a request is worked on; an empty one means that the client left the queue. SimSlots outlives its slots.
    class Slot {
      public:
        Slot() = default;
        explicit Slot(SimSlots* owner) : owner_(owner) {}
        Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Slot& operator=(Slot&& other) noexcept {
            std::swap(owner_, other.owner_);
            return *this;
        }
        ~Slot() {
            if (owner_) owner_->release();
        }
        explicit operator bool() const { return owner_ != nullptr; }

      private:
        SimSlots* owner_ = nullptr;
    };

    // The queue is as long as the server has connections.
    asio::awaitable<Slot> enter(const net::ServerResponse& response);

    std::size_t running() const { return running_; }
    std::size_t waiting() const { return queue_.size(); }

  private:
    class Waiter;
    void release();

    asio::any_io_executor executor_;
    std::size_t limit_;
    std::size_t running_ = 0;
    std::list<Waiter*> queue_;
};

}  // namespace plimsoll::llm
