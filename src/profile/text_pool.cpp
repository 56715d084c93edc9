#include "profile/text_pool.h"

#include <algorithm>
#include <cstring>

namespace plimsoll::profile {

std::uint32_t NamePool::add(std::string_view name) {
    if (const auto found = numbers_.find(name); found != numbers_.end()) return found->second;
    const auto [place, added] = numbers_.emplace(name, static_cast<std::uint32_t>(names_.size()));
    names_.push_back(&place->first);
    return place->second;
}

// An id is the number of the block and the place in it.
TextPool::Id TextPool::add(std::string_view text) {
    const auto length = static_cast<std::uint32_t>(text.size());
    const std::size_t needed = sizeof length + text.size();
    if (used_ + needed > kBlock) {
        blocks_.push_back(std::make_unique_for_overwrite<char[]>(std::max(kBlock, needed)));
        used_ = 0;
    }
    const Id id = (blocks_.size() - 1) * kBlock + used_;
    char* to = blocks_.back().get() + used_;
    std::memcpy(to, &length, sizeof length);
    std::memcpy(to + sizeof length, text.data(), text.size());
    used_ = std::min(kBlock, used_ + needed);
    return id;
}

std::string_view TextPool::operator[](Id id) const {
    const char* from = blocks_[id / kBlock].get() + id % kBlock;
    std::uint32_t length = 0;
    std::memcpy(&length, from, sizeof length);
    return {from + sizeof length, length};
}

}  // namespace plimsoll::profile
