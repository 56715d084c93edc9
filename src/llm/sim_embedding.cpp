#include "llm/sim_embedding.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/error.h"

namespace plimsoll::llm {
namespace {

constexpr double kWordWeight = 1.0;
constexpr double kShortWordWeight = 0.2;  // "the", "of": in every text, hence no sign of likeness
constexpr std::size_t kShortWord = 3;
constexpr double kPairWeight = 0.5;
constexpr double kTripleWeight = 0.3;  // brings "report" and "reports" together
constexpr int kPlacesPerFeature = 4;   // more than one, so that a collision of two features matters less

// 64-bit FNV-1a, continued from `hash`.
std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325ull) {
    for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3ull;
    return hash;
}

// One step of splitmix64: spreads a hash over all bits and yields the next one.
std::uint64_t next_hash(std::uint64_t& state) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

// Lower-case runs of letters and digits; every byte above ASCII counts as a letter.
std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    bool inside = false;
    for (const unsigned char c : text) {
        const bool is_upper = c >= 'A' && c <= 'Z';
        const bool is_word = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
        if (is_word && !inside) words.emplace_back();
        if (is_word) words.back().push_back(static_cast<char>(is_upper ? c + ('a' - 'A') : c));
        inside = is_word;
    }
    return words;
}

}  // namespace

std::vector<float> compute_sim_embedding(std::string_view text, int dimensions) {
    PLIMSOLL_CHECK(dimensions >= 1, "no dimensions");
    std::unordered_map<std::uint64_t, double> features;
    std::string previous;
    for (const auto& word : split_words(text)) {
        const double importance = word.size() <= kShortWord ? kShortWordWeight : kWordWeight;
        features[fnv1a(word)] += importance;
        if (!previous.empty()) features[fnv1a(word, fnv1a(previous + ' '))] += kPairWeight * importance;
        for (std::size_t i = 0; i + 3 <= word.size() && word.size() > kShortWord; ++i)
            features[fnv1a(std::string_view(word).substr(i, 3), fnv1a("#"))] += kTripleWeight;
        previous = word;
    }
    std::vector<double> sum(static_cast<std::size_t>(dimensions), 0.0);
    for (const auto& [feature, weight] : features) {
        std::uint64_t state = feature;
        for (int i = 0; i < kPlacesPerFeature; ++i) {
            const auto hash = next_hash(state);
            // A word said ten times is not ten times as important, hence the root.
            sum[(hash >> 1) % sum.size()] += hash & 1 ? std::sqrt(weight) : -std::sqrt(weight);
        }
    }
    double square = 0;
    for (const double value : sum) square += value * value;
    std::vector<float> vector(sum.size(), 0.0f);
    if (square == 0) {
        vector[0] = 1;
        return vector;
    }
    for (std::size_t i = 0; i < sum.size(); ++i) vector[i] = static_cast<float>(sum[i] / std::sqrt(square));
    return vector;
}

}  // namespace plimsoll::llm
