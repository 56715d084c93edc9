#include "graph/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <iterator>

#include "base/random.h"

namespace plimsoll::graph {

std::string_view to_string(CheckpointSource source) {
    switch (source) {
        case CheckpointSource::input: return "input";
        case CheckpointSource::loop: return "loop";
        case CheckpointSource::update: return "update";
        case CheckpointSource::fork: return "fork";
    }
    return "loop";
}

std::string make_checkpoint_id(std::string_view after) {
    // 16 digits of nanoseconds since 1970, moved on where the clock stands still; 16 random ones tell processes apart.
    constexpr std::size_t kTickDigits = 16;
    constexpr std::size_t kRandomDigits = 16;
    static std::atomic<std::uint64_t> latest = 0;
    thread_local Random random = Random::from_entropy();

    std::uint64_t floor = 0;
    if (const std::string_view ticks = after.substr(0, kTickDigits); ticks.size() == kTickDigits)
        std::from_chars(ticks.begin(), ticks.end(), floor, 16);
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    const auto now = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count());
    std::uint64_t seen = latest.load(std::memory_order_relaxed);
    std::uint64_t tick = 0;
    do {
        tick = std::max({now, seen + 1, floor + 1});
    } while (!latest.compare_exchange_weak(seen, tick, std::memory_order_relaxed));
    std::string id;
    id.reserve(kTickDigits + kRandomDigits);
    fmt::format_to(std::back_inserter(id), "{:016x}{:016x}", tick, random());
    return id;
}

}  // namespace plimsoll::graph
