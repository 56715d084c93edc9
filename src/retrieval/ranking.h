// The two halves of hybrid search that need no file: making a keyword query out of any text, and fusing two rankings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plimsoll::retrieval {

using Ranking = std::vector<std::pair<std::int64_t, double>>;  // chunk ids and scores, best first

// The first `max_words` different words as an FTS5 query: `"time" OR "to" OR "first"`. Nothing in `text` acts as syntax. Empty
// when it holds no word.
std::string keyword_query(std::string_view text, std::size_t max_words);

// Reciprocal rank fusion: score = sum over both of 1 / (constant + rank), rank from 1. The k best, equal scores by id.
Ranking fuse_ranks(const Ranking& first, const Ranking& second, double constant, std::size_t k);

}  // namespace plimsoll::retrieval
