#include "net/arrival_clock.h"

#include <array>
#include <cstring>
#include <ctime>

namespace plimsoll::net {
namespace {

std::chrono::nanoseconds to_nanoseconds(const timespec& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

void stamp_arrivals(int fd) {
    const int on = 1;
    (void)::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);  // optional
}

ArrivalClock::ArrivalClock() : steady_(Steady::now()) {
    timespec wall{};
    ::clock_gettime(CLOCK_REALTIME, &wall);
    wall_ = to_nanoseconds(wall);
}

ssize_t ArrivalClock::receive(int fd, std::span<char> into, Steady::time_point& arrived) const {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control;
    iovec piece{into.data(), into.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = ::recvmsg(fd, &message, MSG_DONTWAIT);
    if (count <= 0) return count;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) {
        arrived = Steady::now();
        return count;
    }
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
    arrived = steady_ + (to_nanoseconds(stamp) - wall_);
    // What came after the clocks were compared is as exact; only a wall clock that was set meanwhile could put it into the future.
    if (arrived > steady_) arrived = std::min(arrived, Steady::now());
    return count;
}

}  // namespace plimsoll::net
