// PrefixSpan itself, on sequences of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace plimsoll::profile {

struct MinedPattern {
    std::optional<std::size_t> parent;  // the pattern without its last token
    std::uint32_t token = 0;
    std::size_t length = 1;
    std::size_t frequency = 0;  // sequences that contain it, gaps allowed
    std::size_t covered = 0;    // sequences that contain it without gaps
    double mean_duration = 0;   // of the matches without gaps, each the sum of its items; 0 without any
};

struct MinerItem {
    std::uint32_t token = 0;
    double duration = 0;
};

// One after another in two blocks, since a run has a million of them.
class MinerSequences {
  public:
    void add(std::span<const MinerItem> sequence) {
        items_.insert(items_.end(), sequence.begin(), sequence.end());
        ends_.push_back(items_.size());
    }
    std::size_t size() const { return ends_.size(); }
    std::span<const MinerItem> operator[](std::size_t i) const {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::span(items_).subspan(begin, ends_[i] - begin);
    }
    std::span<MinerItem> items() { return items_; }

  private:
    std::vector<MinerItem> items_;
    std::vector<std::size_t> ends_;
};

// Stands for any call that no pattern can have: it matches nothing and parts what is on its two sides.
inline constexpr std::uint32_t kRareToken = std::numeric_limits<std::uint32_t>::max();

struct MinerLimits {
    std::size_t patterns, pattern_length, scanned, live_matches;
};

struct MinedPatterns {
    std::vector<MinedPattern> list;  // depth first, extensions in the order in which their token is first met
    bool cut = false;                // a limit was reached
};

// Tokens are 0 … `tokens` − 1, or kRareToken. Work is proportional to patterns × length of what follows their first matches.
MinedPatterns mine_patterns(const MinerSequences& sequences, std::size_t tokens, std::size_t min_support, const MinerLimits& limits);

}  // namespace plimsoll::profile
