#include <algorithm>
#include <numeric>

#include "config/config.h"

namespace plimsoll::config {
namespace {

// Names are short; a longer word is no slip of the finger, and the distance costs the product of both lengths.
constexpr std::size_t kMaxWord = 64;

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t compute_distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    std::iota(last.begin(), last.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
    if (word.empty() || word.size() > kMaxWord) return {};
    std::size_t best_distance = word.size() <= 4 ? 1 : 2;
    std::string best;
    for (const auto& candidate : candidates) {
        if (candidate.size() > word.size() + best_distance || candidate.size() + best_distance < word.size()) continue;
        const std::size_t distance = compute_distance(word, candidate);
        if (distance == 0 || distance > best_distance || (distance == best_distance && !best.empty())) continue;
        best = candidate;
        best_distance = distance;
    }
    return best;
}

}  // namespace plimsoll::config
