// PrefixSpan itself, on sequences of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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
using MinerSequence = std::vector<MinerItem>;

struct MinerLimits {
    std::size_t patterns, pattern_length, scanned, live_matches;
};

struct MinedPatterns {
    std::vector<MinedPattern> list;  // depth first, extensions in the order in which their token is first met
    bool cut = false;                // a limit was reached
};

// Tokens are 0 … `tokens` − 1. Work is proportional to patterns × length of what follows their first matches.
MinedPatterns mine_patterns(const std::vector<MinerSequence>& sequences, std::size_t tokens, std::size_t min_support,
                            const MinerLimits& limits);

}  // namespace plimsoll::profile
