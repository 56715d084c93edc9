#include "retrieval/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>

namespace plimsoll::retrieval {
namespace {

bool is_word_byte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80; }

}  // namespace

std::string keyword_query(std::string_view text, std::size_t max_words) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < text.size() && words.size() < max_words;) {
        std::size_t end = i;
        while (end < text.size() && is_word_byte(text[end])) ++end;
        if (end > i) {
            std::string word(text.substr(i, end - i));
            std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
        }
        i = end + 1;
    }
    // In double quotes nothing is FTS5 syntax, and the words hold no quotes.
    std::string query;
    for (const std::string& word : words) query += fmt::format("{}\"{}\"", query.empty() ? "" : " OR ", word);
    return query;
}

Ranking fuse_ranks(const Ranking& first, const Ranking& second, double constant, std::size_t k) {
    std::map<std::int64_t, double> scores;
    for (const Ranking* ranking : {&first, &second})
        for (std::size_t i = 0; i < ranking->size(); ++i) scores[(*ranking)[i].first] += 1 / (constant + static_cast<double>(i + 1));
    Ranking fused(scores.begin(), scores.end());  // by id, which the stable sort keeps among equals
    std::ranges::stable_sort(fused, std::greater{}, &Ranking::value_type::second);
    fused.resize(std::min(k, fused.size()));
    return fused;
}

}  // namespace plimsoll::retrieval
