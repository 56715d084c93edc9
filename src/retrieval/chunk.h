// Documents are cut into chunks: pieces small enough to embed and to quote, each within one page and one section.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "retrieval/extract.h"

namespace plimsoll::retrieval {

struct Chunk {
    std::int64_t id = 0;   // given by the collection, never reused; 0 = not stored yet
    std::string document;  // Document::name
    std::string title;     // Document::title
    int page = 1;
    int position = 0;  // index within the document, from 0
    std::string text;
    std::string heading;  // path of the headings above it: "Queues > Utilisation"; empty before the first
};

struct ChunkOptions {
    std::size_t target_chars = 900;   // bytes of UTF-8; clamped to [100, kMaxChunkChars]
    std::size_t overlap_chars = 120;  // at most this much of a chunk's end is repeated, in whole sentences; <= target_chars / 2
};

// MiniLM reads 512 tokens and servers refuse more; both bounds keep a chunk and its title below that.
inline constexpr std::size_t kMaxChunkChars = 1400;
inline constexpr std::size_t kMaxChunkTokens = 400;  // by estimate_tokens()

// Paragraphs are kept together as far as target_chars allows, then sentences, then words; a word is cut only when it alone
// exceeds the bounds. Every word of a page's text except its headings is in some chunk, in order; no chunk is empty.
std::vector<Chunk> chunk_document(const Document& document, const ChunkOptions& options = {});

// What is embedded for a chunk: its title and headings (shortened to 200 bytes) above its text.
std::string embedding_text(const Chunk& chunk);

// Cautious count of WordPiece tokens: a run of letters costs one token per four bytes or part thereof, a run that holds digits
// one per two, and every other visible character one.
std::size_t estimate_tokens(std::string_view text);

}  // namespace plimsoll::retrieval
