// Whatever bytes a text file holds, reading and cutting it ends, and every chunk is within its bounds.
#include "base/error.h"
#include "retrieval/chunk.h"
#include "retrieval/extract.h"
#include "retrieval/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace plimsoll::retrieval;
    const std::string text = repair_utf8({reinterpret_cast<const char*>(data), size});
    std::vector<Document> documents = {parse_markdown(text), parse_plain_text(text)};
    if (auto html = parse_html(text)) documents.push_back(std::move(*html));
    for (const Document& document : documents)
        for (const Chunk& chunk : chunk_document(document)) {
            PLIMSOLL_CHECK(!chunk.text.empty() && chunk.text.size() <= kMaxChunkChars, chunk.text);
            PLIMSOLL_CHECK(estimate_tokens(chunk.text) <= kMaxChunkTokens, chunk.text);
            PLIMSOLL_CHECK(is_valid_utf8(chunk.text), chunk.text);
        }
    return 0;
}
