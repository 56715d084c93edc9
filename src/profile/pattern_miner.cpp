#include "profile/pattern_miner.h"

#include <limits>

namespace plimsoll::profile {
namespace {

struct Position {
    std::uint32_t sequence, item;  // of the last token matched
};

struct Match {
    Position end;
    double duration;  // of the items from the first to the last token
};

// A pattern to come: where its first match in each sequence ends, and every match without gaps.
struct Projection {
    std::uint32_t token = 0;
    std::vector<Position> first_matches;
    std::vector<Match> matches;

    std::size_t size() const { return first_matches.size() + matches.size(); }
};

class Miner {
  public:
    Miner(const MinerSequences& sequences, std::size_t tokens, std::size_t min_support, const MinerLimits& limits)
        : sequences_(sequences), min_support_(min_support), limits_(limits), slots_(tokens, kNoSlot) {}

    MinedPatterns run() {
        std::vector<Projection> roots;
        for (std::uint32_t s = 0; s < sequences_.size(); ++s)
            for (std::uint32_t i = 0; i < sequences_[s].size(); ++i) {
                if (sequences_[s][i].token == kRareToken) continue;
                Projection& projection = projection_of(roots, sequences_[s][i].token);
                add_first_match(projection, {s, i});
                projection.matches.push_back({{s, i}, sequences_[s][i].duration});
            }
        descend(std::move(roots), std::nullopt);
        return std::move(mined_);
    }

  private:
    static constexpr std::uint32_t kNoSlot = std::numeric_limits<std::uint32_t>::max();

    Projection& projection_of(std::vector<Projection>& list, std::uint32_t token) {
        if (slots_[token] == kNoSlot) {
            slots_[token] = static_cast<std::uint32_t>(list.size());
            list.push_back({.token = token});
        }
        return list[slots_[token]];
    }

    static void add_first_match(Projection& projection, Position position) {
        if (projection.first_matches.empty() || projection.first_matches.back().sequence != position.sequence)
            projection.first_matches.push_back(position);
    }

    std::vector<Projection> extend(const Projection& pattern) {
        std::vector<Projection> extensions;
        for (const Position& position : pattern.first_matches) {
            const auto sequence = sequences_[position.sequence];
            scanned_ += sequence.size() - position.item;
            for (std::uint32_t i = position.item + 1; i < sequence.size(); ++i)
                if (sequence[i].token != kRareToken) add_first_match(projection_of(extensions, sequence[i].token), {position.sequence, i});
        }
        for (const Match& match : pattern.matches) {
            const auto sequence = sequences_[match.end.sequence];
            const std::uint32_t next = match.end.item + 1;
            if (next < sequence.size() && sequence[next].token != kRareToken)
                projection_of(extensions, sequence[next].token)
                    .matches.push_back({{match.end.sequence, next}, match.duration + sequence[next].duration});
        }
        return extensions;
    }

    // Depth is bounded by limits_.pattern_length.
    void descend(std::vector<Projection> projections, std::optional<std::size_t> parent) {
        for (const auto& projection : projections) slots_[projection.token] = kNoSlot;
        std::erase_if(projections, [&](const Projection& projection) { return projection.first_matches.size() < min_support_; });
        std::size_t live = 0;
        for (const auto& projection : projections) live += projection.size();
        live_matches_ += live;
        for (auto& projection : projections) {
            if (mined_.list.size() >= limits_.patterns || scanned_ >= limits_.scanned || live_matches_ >= limits_.live_matches) {
                mined_.cut = true;
                break;
            }
            const std::size_t index = mined_.list.size();
            mined_.list.push_back(describe(projection, parent));
            if (mined_.list[index].length < limits_.pattern_length)
                descend(extend(projection), index);
            else
                mined_.cut = true;
            projection = {};
        }
        live_matches_ -= live;
    }

    MinedPattern describe(const Projection& projection, std::optional<std::size_t> parent) const {
        MinedPattern pattern{.parent = parent, .token = projection.token, .frequency = projection.first_matches.size()};
        if (parent) pattern.length = mined_.list[*parent].length + 1;
        double duration = 0;
        for (std::size_t i = 0; i < projection.matches.size(); ++i) {
            duration += projection.matches[i].duration;
            if (i == 0 || projection.matches[i].end.sequence != projection.matches[i - 1].end.sequence) ++pattern.covered;
        }
        if (!projection.matches.empty()) pattern.mean_duration = duration / static_cast<double>(projection.matches.size());
        return pattern;
    }

    const MinerSequences& sequences_;
    std::size_t min_support_;
    MinerLimits limits_;
    std::vector<std::uint32_t> slots_;  // place of a token among the extensions being collected
    std::size_t scanned_ = 0, live_matches_ = 0;
    MinedPatterns mined_;
};

}  // namespace

MinedPatterns mine_patterns(const MinerSequences& sequences, std::size_t tokens, std::size_t min_support, const MinerLimits& limits) {
    return Miner(sequences, tokens, min_support, limits).run();
}

}  // namespace plimsoll::profile
