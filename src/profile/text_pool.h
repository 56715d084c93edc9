// Texts of a run held once each, in little more than their bytes: names by number, and many short texts that differ all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace plimsoll::profile {

// The same text gets the same number, counted from 0.
class NamePool {
  public:
    std::uint32_t add(std::string_view name);
    const std::string& operator[](std::uint32_t number) const { return *names_[number]; }
    std::size_t size() const { return names_.size(); }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
    std::vector<const std::string*> names_;  // keys of the map
};

// Each text takes its bytes and four more; equal ones are not looked for.
class TextPool {
  public:
    using Id = std::uint64_t;
    Id add(std::string_view text);
    std::string_view operator[](Id id) const;

  private:
    static constexpr std::size_t kBlock = 1 << 20;
    std::vector<std::unique_ptr<char[]>> blocks_;  // a text that is longer than kBlock has one of its own
    std::size_t used_ = kBlock;                    // of the last one
};

}  // namespace plimsoll::profile
