#include "retrieval/chunk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/random.h"
#include "retrieval/utf8.h"

namespace plimsoll::retrieval {
namespace {

Document document_of(std::string text) { return {"doc.md", "Title", {{1, std::move(text)}}}; }

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    return {std::istream_iterator<std::string>(in), {}};
}

// Every word, in order, allowing for what a chunk repeats of the one before.
bool covers(const std::vector<Chunk>& chunks, const std::string& text) {
    const auto wanted = words_of(text);
    std::size_t at = 0;
    for (const Chunk& chunk : chunks) {
        const auto words = words_of(chunk.text);
        std::size_t repeated = 0;
        for (std::size_t n = std::min(words.size(), at); n > 0 && repeated == 0; --n)
            if (std::equal(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n),
                           wanted.begin() + static_cast<std::ptrdiff_t>(at - n)))
                repeated = n;
        for (std::size_t i = repeated; i < words.size(); ++i, ++at)
            if (at == wanted.size() || words[i] != wanted[at]) return false;
    }
    return at == wanted.size();
}

void check_bounds(const std::vector<Chunk>& chunks) {
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        EXPECT_FALSE(chunks[i].text.empty());
        EXPECT_LE(chunks[i].text.size(), kMaxChunkChars);
        EXPECT_LE(estimate_tokens(chunks[i].text), kMaxChunkTokens);
        EXPECT_TRUE(is_valid_utf8(chunks[i].text));
        EXPECT_EQ(chunks[i].position, static_cast<int>(i));
    }
}

std::string random_prose(Random& random, int sentences) {
    std::string text;
    int number = 0;
    for (int i = 0; i < sentences; ++i) {
        const int words = 1 + static_cast<int>(random.uniform(0, 30));
        for (int w = 0; w < words; ++w) text += fmt::format("{}{}{}", w ? " " : "Word", ++number, random.uniform() < 0.1 ? "ü," : "x");
        text += random.uniform() < 0.2 ? ".\n\n" : random.uniform() < 0.3 ? ".\n" : ". ";
    }
    return text;
}

TEST(Chunk, CoversRandomProseWithinItsBounds) {
    Random random(1);
    for (int round = 0; round < 200; ++round) {
        const std::string text = random_prose(random, static_cast<int>(random.uniform(0, 80)));
        ChunkOptions options;
        options.target_chars = static_cast<std::size_t>(random.uniform(0, 2000));
        options.overlap_chars = static_cast<std::size_t>(random.uniform(0, 400));
        const auto chunks = chunk_document(document_of(text), options);
        check_bounds(chunks);
        ASSERT_TRUE(covers(chunks, text)) << "round " << round;
    }
}

TEST(Chunk, NothingGivesNothing) {
    for (const char* text : {"", " \n\t\n ", "# Heading only\n", "#\n##\n"}) {
        const auto chunks = chunk_document(document_of(text));
        check_bounds(chunks);
        EXPECT_LE(chunks.size(), 1u);
    }
    EXPECT_TRUE(chunk_document(document_of("# Heading only\n")).empty());
    EXPECT_TRUE(chunk_document({}).empty());
}

TEST(Chunk, StaysInItsSectionAndPage) {
    Document document = document_of("Intro.\n\n# Title\n\nTop.\n\n## Queues\n\n### Utilisation\n\nRho is load.\n\n## Tokens\n\nCost.\n");
    document.pages.push_back({2, "Next page."});
    const auto chunks = chunk_document(document);
    ASSERT_EQ(chunks.size(), 5u);
    EXPECT_EQ(chunks[0].heading, "");
    EXPECT_EQ(chunks[1].heading, "");  // the title's own heading
    EXPECT_EQ(chunks[2].heading, "Queues > Utilisation");
    EXPECT_EQ(chunks[2].text, "Rho is load.");
    EXPECT_EQ(chunks[3].heading, "Tokens");
    EXPECT_EQ(chunks[4].page, 2);
    EXPECT_EQ(chunks[4].heading, "Tokens");
    EXPECT_EQ(embedding_text(chunks[2]), "Title > Queues > Utilisation\nRho is load.");
}

TEST(Chunk, RepeatsWholeSentencesOnly) {
    std::string text;
    for (int i = 0; i < 40; ++i) text += fmt::format("This is sentence number {} of the text. ", i);
    const auto chunks = chunk_document(document_of(text), {.target_chars = 300, .overlap_chars = 100});
    ASSERT_GT(chunks.size(), 3u);
    for (std::size_t i = 1; i < chunks.size(); ++i) {
        EXPECT_TRUE(chunks[i].text.starts_with("This is sentence")) << chunks[i].text;
        const std::string last = chunks[i - 1].text.substr(chunks[i - 1].text.rfind("This is"));
        EXPECT_THAT(chunks[i].text, testing::HasSubstr(last));
        EXPECT_LE(chunks[i].text.size(), 300u);
    }
}

TEST(Chunk, DoesNotCutAtAbbreviations) {
    const auto chunks =
        chunk_document(document_of(std::string(80, 'a') + " first. See e.g. Fig. 3 and J. Doe for it, which is a long sentence indeed."),
                       {.target_chars = 100, .overlap_chars = 0});
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_TRUE(chunks[1].text.starts_with("See e.g. Fig. 3 and J. Doe"));
}

TEST(Chunk, DividesWhatIsTooLong) {
    std::string sentence;
    for (int i = 0; i < 1000; ++i) sentence += "word ";
    std::string wide;
    for (int i = 0; i < 3000; ++i) wide += "漢";
    for (const std::string& text :
         {sentence, std::string(10'000, 'x'), wide, std::string(5'000, '|'), std::string(5'000, '7'), "    " + sentence}) {
        const auto chunks = chunk_document(document_of(text));
        check_bounds(chunks);
        EXPECT_GT(chunks.size(), 3u);
        std::size_t bytes = 0;
        for (const Chunk& chunk : chunks) bytes += chunk.text.size();
        EXPECT_GE(bytes + 50, text.size());
    }
    for (const Chunk& chunk : chunk_document(document_of(sentence)))
        EXPECT_TRUE(chunk.text.starts_with("word") && chunk.text.ends_with("word"));
}

TEST(Chunk, KeepsListsAndCodeInLines) {
    const auto chunks = chunk_document(document_of("Wrapped\nline.\n\n- one\n- two\n  goes on\n\n    x = 1\n      y = 2\n\nAfter.\n"));
    ASSERT_EQ(chunks.size(), 1u);
    EXPECT_EQ(chunks[0].text, "Wrapped line.\n\n- one\n- two goes on\n\n    x = 1\n      y = 2\n\nAfter.");
}

TEST(Chunk, ShortTailJoinsTheChunkBefore) {
    std::string text;
    for (int i = 0; i < 9; ++i)
        text += "Exactly one hundred characters are in this sentence, which is why it goes on until the hundredth one. ";
    const auto chunks = chunk_document(document_of(text + "Short tail."));
    EXPECT_THAT(chunks.back().text, testing::EndsWith("hundredth one. Short tail."));
}

TEST(Chunk, EstimatesTokensCautiously) {
    EXPECT_EQ(estimate_tokens(""), 0u);
    EXPECT_EQ(estimate_tokens("the queue"), 3u);
    EXPECT_EQ(estimate_tokens("a, b"), 3u);
    EXPECT_EQ(estimate_tokens("1234"), 2u);
    EXPECT_EQ(estimate_tokens("漢字"), 2u);
}

}  // namespace
}  // namespace plimsoll::retrieval
