// A collection: the chunks of some documents, their vectors and a keyword index, in one SQLite file (WAL).
//
//   auto collection = Collection::open("docs.db", embedder.model());
//   (*collection)->replace_document(document, hash, chunks, vectors);
//   auto hits = (*collection)->search("utilisation of a queue", query_vector, 8);
//
// Each replace or remove is one transaction: after kill -9 a document is there whole or not at all. Several processes may have
// the file open; one that searches sees what another has committed. Thread-safe. Calls block for file access (a search over
// 10,000 chunks takes about 5 ms), so call them off the io threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "retrieval/chunk.h"
#include "retrieval/extract.h"

namespace plimsoll::retrieval {

struct Hit {
    Chunk chunk;
    double score = 0;  // comparable within one answer only: fused rank, cosine or -bm25; more is better
};

struct DocumentInfo {
    std::string name;
    std::string title;
    std::string hash;
    int pages = 0;
    int chunks = 0;
};

class Collection {
  public:
    static constexpr std::int64_t kMaxChunks = 1'000'000;  // of a file; the exact scan holds 4 × dimension bytes of each
    static constexpr int kMaxHits = 1'000;                 // a larger k is taken as this
    static constexpr int kFusionDepth = 60;                // hits of each kind that are fused, when k is smaller
    static constexpr double kFusionConstant = 60;
    static constexpr std::size_t kMaxQueryWords = 64;  // of a keyword query; further words are ignored

    // Makes the file and its folder when missing. A new file remembers `embedding_model`; the vectors of different models
    // do not compare, so a file made with another one is refused. An empty model opens any file (keyword search, listings).
    // Errors: invalid_argument (another model: ingest again into a new file), parse (no SQLite file), unsupported (made by a newer
    // version), io, no_space.
    static Result<std::unique_ptr<Collection>> open(const std::filesystem::path& file, const std::string& embedding_model = {});
    ~Collection();
    Collection(const Collection&) = delete;
    Collection& operator=(const Collection&) = delete;

    // As open() does with a model. Errors: invalid_argument when the file has another one.
    Result<void> bind_model(const std::string& embedding_model);
    Result<std::string> embedding_model() const;  // empty when none was ever bound
    Result<int> dimension() const;                // 0 before the first vector

    // Replaces the document of that name, if any. `vectors` has one vector a chunk, of the collection's dimension (the first one
    // stored decides); they are normalised here. Chunk ids, positions and document names are set here.
    // Errors: invalid_argument (counts or dimensions differ, a component is not finite), limit (kMaxChunks), io, no_space.
    Result<void> replace_document(const Document& document, const std::string& content_hash, std::vector<Chunk> chunks,
                                  std::vector<std::vector<float>> vectors);
    Result<void> remove_document(const std::string& name);  // one that is not there is no error

    Result<std::optional<std::string>> document_hash(const std::string& name) const;
    Result<std::vector<DocumentInfo>> documents() const;  // by name
    Result<std::int64_t> chunk_count() const;
    Result<Chunk> chunk(std::int64_t id) const;  // not_found

    // The k best chunks by reciprocal rank fusion of both searches below: score = sum of 1 / (kFusionConstant + rank), rank from 1
    // (Cormack, Clarke and Büttcher, SIGIR 2009). Equal scores by id. An empty vector leaves keywords alone, an empty text vectors.
    // Errors: invalid_argument (k < 1, wrong dimension), io.
    Result<std::vector<Hit>> search(const std::string& text, const std::vector<float>& vector, int k) const;
    // Any of the words, stemmed (Porter), ranked by BM25 over title, headings and text. Text is words, never query syntax.
    Result<std::vector<Hit>> search_text(const std::string& text, int k) const;
    // Exact scan by cosine.
    Result<std::vector<Hit>> search_vector(const std::vector<float>& vector, int k) const;

  private:
    struct Impl;
    explicit Collection(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace plimsoll::retrieval
