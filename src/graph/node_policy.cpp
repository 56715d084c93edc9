#include "graph/node_policy.h"

#include <utility>

namespace plimsoll::graph {

bool is_worth_retrying(const NodeFailure& failure) {
    constexpr int kFirstServerError = 500;
    switch (failure.error.code) {
        case ErrorCode::connect:
        case ErrorCode::bad_response:
        case ErrorCode::internal: return true;
        case ErrorCode::http_status: return failure.error.http_status >= kFirstServerError;
        case ErrorCode::timeout: return failure.timed_out;
        default: return false;
    }
}

MemoryNodeCache::MemoryNodeCache(std::size_t capacity, std::function<Clock::time_point()> now)
    : capacity_(capacity), now_(std::move(now)) {}

std::optional<std::vector<PendingWrite>> MemoryNodeCache::get(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(std::string(key));
    if (found == entries_.end()) return std::nullopt;
    if (now_() < found->second.expires) return found->second.writes;
    by_age_.erase(found->second.order);
    entries_.erase(found);
    return std::nullopt;
}

void MemoryNodeCache::put(std::string key, std::vector<PendingWrite> writes, std::optional<std::chrono::milliseconds> ttl) {
    const std::lock_guard lock(mutex_);
    if (const auto old = entries_.find(key); old != entries_.end()) {
        by_age_.erase(old->second.order);
        entries_.erase(old);
    }
    if (entries_.size() >= capacity_ && !by_age_.empty()) {
        entries_.erase(by_age_.begin()->second);
        by_age_.erase(by_age_.begin());
    }
    const auto expires = ttl ? now_() + *ttl : Clock::time_point::max();
    by_age_.emplace(++puts_, key);
    entries_.emplace(std::move(key), Entry{std::move(writes), expires, puts_});
}

}  // namespace plimsoll::graph
