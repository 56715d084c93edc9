// A folder becomes a collection. Run it again at any time: unchanged files cost one read, changed ones are replaced, documents
// whose file has gone are removed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "event/session.h"
#include "llm/chat.h"
#include "net/io_pool.h"
#include "retrieval/chunk.h"
#include "retrieval/collection.h"
#include "retrieval/extract.h"

namespace plimsoll::retrieval {

namespace asio = boost::asio;

struct IngestOptions {
    ChunkOptions chunks;
    ExtractLimits limits;
    int concurrent_batches = 2;  // documents being extracted and embedded at once; clamped to [1, 16]
};

struct IngestReport {
    int documents = 0;  // in the collection at the end, failed ones of earlier runs included
    int updated = 0;    // new or changed
    int unchanged = 0;
    int removed = 0;
    int skipped = 0;    // files of other kinds
    int truncated = 0;  // longer than ExtractLimits::max_pages
    int failed = 0;
    int chunks = 0;                                       // of the updated documents
    int pages = 0;                                        // of the updated documents
    std::vector<std::pair<std::string, Error>> failures;  // name and reason, in order of name
};

inline constexpr std::size_t kMaxIngestFiles = 100'000;

using OnProgress = std::function<void(const std::string& line)>;

// Walks `folder` in order of name; hidden files and folders and links to folders are left out. Reading and chunking run on
// pool.compute(), embedding and `progress` (one line a document that is new, changed or removed; may be empty) on the caller's io thread.
// A document that cannot be read or embedded is counted, and an earlier version of it stays. `collection`, `model` and `pool`
// must outlive the call. Errors, with everything stored so far kept: not_found (no such folder), invalid_argument (the collection
// has another embedding model), connect or cancelled (the embedding model), timeout (the context's deadline), limit (kMaxIngestFiles,
// Collection::kMaxChunks), io, no_space. Cancelling the coroutine waits for a PDF that is being read.
asio::awaitable<Result<IngestReport>> ingest_folder(event::Context context, std::filesystem::path folder, Collection& collection,
                                                    llm::EmbeddingModel& model, net::IoPool& pool, IngestOptions options = {},
                                                    OnProgress progress = {});

}  // namespace plimsoll::retrieval
