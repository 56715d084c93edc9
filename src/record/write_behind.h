// Text that many threads produce and one thread writes, so that a session never waits for a disk.
//
//   WriteBehind queue(write, limits, on_error);   // write() runs on the queue's own thread
//   queue.push(line, Kind::droppable);            // any thread, never blocks
//   queue.push_synced(line, done);                // done() once the line is on the disk, or with the error
//   queue.close();                                // writes what is queued and joins
//
// Bounds: above `soft_bytes` queued, droppable text is dropped and counted. Text that must not be lost is taken up to `hard_bytes`; beyond
// that the queue fails with `limit`, as it does when write() fails. A failure is final: it is reported once, the queued
// text is discarded, later text is dropped and counted, and every done() gets the error.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"

namespace plimsoll::record {

class WriteBehind {
  public:
    struct Limits {
        std::size_t soft_bytes;
        std::size_t hard_bytes;
    };
    enum class Kind : std::uint8_t { droppable, required };

    // Writes a batch of whole pushes and, when `sync`, waits until it is on the disk.
    using Write = std::function<Result<void>(std::string_view batch, bool sync)>;
    using Done = std::move_only_function<void(Result<void>)>;  // called on the queue's thread
    using OnError = std::function<void(const Error&)>;         // called once, on the queue's thread

    WriteBehind(Write write, Limits limits, OnError on_error);
    ~WriteBehind();  // close()
    WriteBehind(const WriteBehind&) = delete;
    WriteBehind& operator=(const WriteBehind&) = delete;

    void push(std::string_view text, Kind kind);
    void push_synced(std::string_view text, Done done);

    // Returns when everything pushed before is written. Not from the queue's thread.
    Result<void> close();

    Result<void> status() const;
    std::uint64_t dropped() const;  // pushes that were not written

  private:
    void run();
    bool take(std::string_view text, Kind kind);  // with the lock held
    void set_error(Error error);                  // with the lock held

    const Write write_;
    const Limits limits_;
    const OnError on_error_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::string queue_;
    std::vector<Done> waiting_;
    std::uint64_t queued_pushes_ = 0;
    std::uint64_t dropped_ = 0;
    std::optional<Error> error_;
    bool closing_ = false;
    std::thread thread_;
};

}  // namespace plimsoll::record
