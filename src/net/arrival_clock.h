// When bytes of a socket came in, by the kernel's clock: SO_TIMESTAMPNS for TCP, turned into steady-clock time.
//
//   stamp_arrivals(fd);
//   ArrivalClock clock;                        // once a batch of receives: it relates the two clocks
//   ssize_t n = clock.receive(fd, buffer, &arrived);
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <span>

namespace plimsoll::net {

// Asks for the times. Without kernel support receives are stamped as they are made.
void stamp_arrivals(int fd);

class ArrivalClock {
  public:
    using Steady = std::chrono::steady_clock;

    ArrivalClock();
    // recv() without waiting; `arrived` is the time of the last segment among the bytes, never later than the receive itself.
    ssize_t receive(int fd, std::span<char> into, Steady::time_point& arrived) const;

  private:
    Steady::time_point steady_;
    std::chrono::nanoseconds wall_;  // CLOCK_REALTIME at the same moment
};

}  // namespace plimsoll::net
