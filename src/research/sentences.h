// Sentence work that keeps a report readable and true on a small model: splitting, picking evidence word for word,
// dropping repetition and numbers that no source has. Pure functions on UTF-8 text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "research/types.h"

namespace plimsoll::research {

// Sentences end at . ! or ? before white space and an upper-case letter, digit or quote, and at blank lines. Headings, list
// bullets and table rows are left out. White space is squeezed.
std::vector<std::string> split_sentences(std::string_view text);

// Lower-cased words of three letters or more and all numbers, without the commonest English words.
std::vector<std::string> content_words(std::string_view text);

// A letter or digit in it, of whatever script. A question of the commonest words alone has some too.
bool has_words(std::string_view text);

// The `count` sentences of the hits that share most content words with the query (each word weighted by its rarity among
// the hits' sentences, a sentence by the rank of its hit), at most `per_chunk` from one chunk, in rank order; ties keep the hits' order;
// none with less than half of the best one's score. Sentences shorter than 30 or longer than 320 characters are no quotes.
std::vector<Sentence> pick_quotes(const Query& query, const std::vector<retrieval::Hit>& hits, int count, int per_chunk);

// The written sentences worth keeping: each has five content words or more, is not cut off, does not (nearly) repeat an earlier
// one of the section or of `seen` (Jaccard similarity of content words > 0.6), and shares six of ten content words and all its
// numbers with one chunk, which it cites. Kept sentences are added to `seen`.
std::vector<Sentence> keep_supported(const std::vector<std::string>& written, const std::vector<retrieval::Hit>& hits,
                                     std::vector<std::string>& seen);

}  // namespace plimsoll::research
