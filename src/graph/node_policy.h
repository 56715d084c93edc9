// What happens around one execution of a node: attempts, time limits, a cache of results.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"

namespace plimsoll::graph {

struct NodeFailure {
    Error error;
    bool timed_out = false;  // by the node's own Timeouts, not by something inside it
};

// LangGraph's defaults, in our codes: its ConnectionError is `connect`, an unknown exception is `internal` or `bad_response`,
// http_status counts from 500 up; what the caller did wrong, io and a timeout inside the node are not tried again.
bool is_worth_retrying(const NodeFailure& failure);

struct RetryPolicy {
    std::chrono::milliseconds initial{500};
    double factor = 2;
    std::chrono::milliseconds max{128'000};
    int attempts = 3;    // with the first one
    bool jitter = true;  // up to a second more, so that many sessions do not come back together
    std::function<bool(const NodeFailure&)> retry_on = is_worth_retrying;
};

// Of coroutine nodes. A node that is over its time is cancelled and waited for; its result is the error `timeout`.
struct Timeouts {
    std::optional<std::chrono::milliseconds> run;   // each attempt
    std::optional<std::chrono::milliseconds> idle;  // since the node's last StepInfo::heartbeat() or write()
};

struct CachePolicy {
    std::optional<std::chrono::milliseconds> ttl;  // absent: until evicted
};

// Results of nodes by key: what they wrote, as pending writes. Shared by the runs of a graph; any thread.
class NodeCache {
  public:
    virtual ~NodeCache() = default;
    virtual std::optional<std::vector<PendingWrite>> get(std::string_view key) = 0;
    virtual void put(std::string key, std::vector<PendingWrite> writes, std::optional<std::chrono::milliseconds> ttl) = 0;
};

// In memory; when `capacity` entries are there, the oldest one goes.
class MemoryNodeCache final : public NodeCache {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t kDefaultCapacity = 4096;

    explicit MemoryNodeCache(std::size_t capacity = kDefaultCapacity, std::function<Clock::time_point()> now = Clock::now);

    std::optional<std::vector<PendingWrite>> get(std::string_view key) override;
    void put(std::string key, std::vector<PendingWrite> writes, std::optional<std::chrono::milliseconds> ttl) override;

  private:
    struct Entry {
        std::vector<PendingWrite> writes;
        Clock::time_point expires;
        std::uint64_t order = 0;  // of its put
    };

    std::size_t capacity_;
    std::function<Clock::time_point()> now_;
    std::mutex mutex_;
    std::unordered_map<std::string, Entry> entries_;
    std::map<std::uint64_t, std::string> by_age_;
    std::uint64_t puts_ = 0;
};

}  // namespace plimsoll::graph
