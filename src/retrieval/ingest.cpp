#include "retrieval/ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>

#include "base/files.h"
#include "retrieval/utf8.h"

namespace plimsoll::retrieval {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxConcurrentBatches = 16;
// Part of every content hash: a release that extracts or cuts differently raises it, and the next ingest redoes every document.
constexpr int kExtractionVersion = 1;

struct SourceFile {
    fs::path path;
    std::string name;  // relative to the folder, with '/'
};

struct FolderListing {
    std::vector<SourceFile> files;  // by name
    int skipped = 0;
};

Result<FolderListing> list_folder(fs::path folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) return fail(ErrorCode::not_found, fmt::format("{} is no folder", folder.string()));
    FolderListing listing;
    fs::recursive_directory_iterator entry(folder, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        std::error_code type_error;
        if (entry->path().filename().string().starts_with('.')) {
            entry.disable_recursion_pending();
        } else if (entry->is_regular_file(type_error)) {
            if (listing.files.size() == kMaxIngestFiles) return fail(ErrorCode::limit, fmt::format("more than {} files", kMaxIngestFiles));
            if (is_supported(entry->path()))
                listing.files.push_back({entry->path(), fs::relative(entry->path(), folder, type_error).generic_string()});
            else
                ++listing.skipped;
        }
    }
    if (error) return fail(errno_error(fmt::format("listing {}", folder.string()), error.value()));
    std::ranges::sort(listing.files, {}, &SourceFile::name);
    return listing;
}

// FNV-1a: tells a changed file from an unchanged one; it protects against nothing.
std::uint64_t fnv1a(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

std::string content_hash(std::string_view content, const ChunkOptions& options) {
    return fmt::format("{:016x}-{}-{}-{}-{}", fnv1a(content), content.size(), options.target_chars, options.overlap_chars,
                       kExtractionVersion);
}

// A document on its way into the collection.
struct Prepared {
    std::string hash;
    bool unchanged = false;
    Document document;
    std::vector<Chunk> chunks;
    std::vector<std::vector<float>> vectors;
};

Result<Prepared> read_document(const SourceFile& file, const std::string& known_hash, const IngestOptions& options) {
    if (!is_valid_utf8(file.name)) return fail(ErrorCode::unsupported, "the file's name is not UTF-8");
    Prepared prepared;
    {
        const auto content = load_file(file.path, options.limits.max_file_bytes);
        if (!content) return fail(content.error());
        prepared.hash = content_hash(*content, options.chunks);
    }
    prepared.unchanged = prepared.hash == known_hash;
    if (prepared.unchanged) return prepared;
    auto document = load_document(file.path, options.limits);
    if (!document) return fail(document.error());
    prepared.document = std::move(*document);
    prepared.document.name = file.name;
    prepared.chunks = chunk_document(prepared.document, options.chunks);
    if (prepared.chunks.empty()) return fail(ErrorCode::unsupported, "no text in it (pages may be scanned images)");
    return prepared;
}

asio::awaitable<Result<Prepared>> read_on_pool(const SourceFile& file, const std::string& known_hash, const IngestOptions& options) {
    try {
        co_return read_document(file, known_hash, options);
    } catch (const std::exception& error) {
        // The standard library's own, e.g. out of memory on a huge file: the document fails, not the run.
        co_return fail(ErrorCode::internal, error.what());
    }
}

struct Ingest {
    event::Context context;
    Collection& collection;
    llm::EmbeddingModel& model;
    net::IoPool& pool;
    IngestOptions options;
    OnProgress progress;
    std::map<std::string, std::string> known;  // names and hashes that the collection has
    IngestReport report;
};

// References are to the caller's frame, which waits for this.
asio::awaitable<Result<Prepared>> prepare_document(Ingest& ingest, const SourceFile& file) {
    const auto known = ingest.known.find(file.name);
    const std::string known_hash = known == ingest.known.end() ? "" : known->second;
    auto prepared = co_await asio::co_spawn(ingest.pool.compute(), read_on_pool(file, known_hash, ingest.options), net::uncancelled());
    if (!prepared || prepared->unchanged) co_return prepared;
    std::vector<std::string> texts;
    texts.reserve(prepared->chunks.size());
    for (const Chunk& chunk : prepared->chunks) texts.push_back(embedding_text(chunk));
    auto vectors = co_await ingest.model.embed(ingest.context, std::move(texts));
    if (!vectors) co_return fail(vectors.error().with_context("embedding"));
    prepared->vectors = std::move(*vectors);
    co_return prepared;
}

// What stops every further document too.
bool is_fatal(const Error& error) {
    return error.code == ErrorCode::connect || error.code == ErrorCode::cancelled || error.code == ErrorCode::no_space;
}

asio::awaitable<Result<void>> store_on_pool(Collection& collection, Prepared prepared) {
    co_return collection.replace_document(prepared.document, prepared.hash, std::move(prepared.chunks), std::move(prepared.vectors));
}

void note_failure(Ingest& ingest, const std::string& name, const Error& error) {
    ++ingest.report.failed;
    ingest.report.failures.emplace_back(name, error);
}

// Counts and stores one document.
asio::awaitable<Result<void>> finish_document(Ingest& ingest, const SourceFile& file, Result<Prepared> prepared) {
    if (!prepared) {
        const bool out_of_time = prepared.error().code == ErrorCode::timeout && ingest.context.deadline.passed();
        if (is_fatal(prepared.error()) || out_of_time) co_return fail(prepared.error().with_context(file.name));
        note_failure(ingest, file.name, prepared.error());
        co_return Result<void>();
    }
    if (prepared->unchanged) {
        ++ingest.report.unchanged;
        co_return Result<void>();
    }
    const auto pages = static_cast<int>(prepared->document.pages.size());
    const auto chunks = static_cast<int>(prepared->chunks.size());
    const bool truncated = prepared->document.truncated;
    const auto stored =
        co_await asio::co_spawn(ingest.pool.compute(), store_on_pool(ingest.collection, std::move(*prepared)), net::uncancelled());
    if (!stored) {
        // Vectors of a wrong shape are this document's fault; a file that cannot be written is everybody's.
        if (stored.error().code != ErrorCode::invalid_argument) co_return fail(stored.error().with_context(file.name));
        note_failure(ingest, file.name, stored.error());
        co_return Result<void>();
    }
    ++ingest.report.updated;
    ingest.report.truncated += truncated;
    ingest.report.pages += pages;
    ingest.report.chunks += chunks;
    if (ingest.progress)
        ingest.progress(fmt::format("{}: {} {}, {} chunks{}", file.name, pages, pages == 1 ? "page" : "pages", chunks,
                                    truncated ? fmt::format(", cut after page {}", ingest.options.limits.max_pages) : ""));
    co_return Result<void>();
}

// Prepares some documents side by side and stores them in their order, so that the same folder gives the same chunk ids.
asio::awaitable<Result<void>> ingest_batch(Ingest& ingest, std::span<const SourceFile> files) {
    const auto executor = co_await asio::this_coro::executor;
    using Operation = decltype(asio::co_spawn(executor, prepare_document(ingest, files[0]), asio::deferred));
    std::vector<Operation> operations;
    for (const SourceFile& file : files) operations.push_back(asio::co_spawn(executor, prepare_document(ingest, file), asio::deferred));
    auto [order, exceptions, prepared] = co_await asio::experimental::make_parallel_group(std::move(operations))
                                             .async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    for (const std::exception_ptr& exception : exceptions)
        if (exception) std::rethrow_exception(exception);
    for (std::size_t i = 0; i < files.size(); ++i) {
        auto stored = co_await finish_document(ingest, files[i], std::move(prepared[i]));
        if (!stored) co_return stored;
    }
    co_return Result<void>();
}

// Documents that the collection has and the folder has not.
Result<void> remove_vanished(Ingest& ingest, const std::vector<SourceFile>& files) {
    std::set<std::string> names;
    for (const SourceFile& file : files) names.insert(file.name);
    for (const auto& [name, hash] : ingest.known) {
        if (names.contains(name)) continue;
        PLIMSOLL_TRY(ingest.collection.remove_document(name));
        ++ingest.report.removed;
        if (ingest.progress) ingest.progress(fmt::format("{}: removed", name));
    }
    return {};
}

asio::awaitable<Result<FolderListing>> list_on_pool(fs::path folder) { co_return list_folder(std::move(folder)); }

}  // namespace

asio::awaitable<Result<IngestReport>> ingest_folder(event::Context context, fs::path folder, Collection& collection,
                                                    llm::EmbeddingModel& model, net::IoPool& pool, IngestOptions options,
                                                    OnProgress progress) {
    if (const auto bound = collection.bind_model(model.model()); !bound) co_return fail(bound.error());
    const auto listing = co_await asio::co_spawn(pool.compute(), list_on_pool(folder), net::uncancelled());
    if (!listing) co_return fail(listing.error());
    const auto stored = collection.documents();
    if (!stored) co_return fail(stored.error());

    Ingest ingest{std::move(context), collection, model, pool, options, std::move(progress), {}, {}};
    for (const DocumentInfo& document : *stored) ingest.known[document.name] = document.hash;
    ingest.report.skipped = listing->skipped;
    if (const auto removed = remove_vanished(ingest, listing->files); !removed) co_return fail(removed.error());

    const auto step = static_cast<std::size_t>(std::clamp(options.concurrent_batches, 1, kMaxConcurrentBatches));
    const std::span<const SourceFile> files = listing->files;
    for (std::size_t i = 0; i < files.size(); i += step) {
        if (ingest.context.deadline.passed()) co_return fail(ErrorCode::timeout, "ingesting ran out of time");
        const auto done = co_await ingest_batch(ingest, files.subspan(i, std::min(step, files.size() - i)));
        if (!done) co_return fail(done.error());
    }
    const auto documents = collection.documents();
    if (!documents) co_return fail(documents.error());
    ingest.report.documents = static_cast<int>(documents->size());
    co_return std::move(ingest.report);
}

}  // namespace plimsoll::retrieval
