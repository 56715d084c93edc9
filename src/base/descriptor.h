// Owner of a file descriptor: closes it at the latest when it is destroyed.
#pragma once

#include <unistd.h>

#include <utility>

namespace plimsoll {

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const { return fd_; }  // negative: none, or what the failed call that made it returned
    bool is_open() const { return fd_ >= 0; }
    void close() {
        if (is_open()) ::close(fd_);
        fd_ = -1;
    }

  private:
    int fd_ = -1;
};

}  // namespace plimsoll
