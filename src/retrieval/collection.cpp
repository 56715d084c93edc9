#include "retrieval/collection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "base/files.h"
#include "retrieval/ranking.h"
#include "retrieval/vector_index.h"
#include "sqlite/database.h"

namespace plimsoll::retrieval {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

constexpr int kSchemaVersion = 1;

// AUTOINCREMENT: the id of a chunk that has gone must not come to mean another one, or old citations would lie.
// The keyword index keeps no text of its own; the triggers hand it the words that come and go.
constexpr const char* kSchema = R"(
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE documents (name TEXT PRIMARY KEY, title TEXT NOT NULL, hash TEXT NOT NULL, pages INTEGER NOT NULL);
    CREATE TABLE chunks (id INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, title TEXT NOT NULL, page INTEGER NOT NULL,
                         position INTEGER NOT NULL, text TEXT NOT NULL, heading TEXT NOT NULL);
    CREATE INDEX chunks_of_document ON chunks (document, position);
    CREATE TABLE vectors (chunk_id INTEGER PRIMARY KEY, vector BLOB NOT NULL);
    CREATE VIRTUAL TABLE words USING fts5(title, heading, text, content='chunks', content_rowid='id', tokenize='porter unicode61');
    CREATE TRIGGER words_in AFTER INSERT ON chunks BEGIN
        INSERT INTO words (rowid, title, heading, text) VALUES (new.id, new.title, new.heading, new.text);
    END;
    CREATE TRIGGER words_out AFTER DELETE ON chunks BEGIN
        INSERT INTO words (words, rowid, title, heading, text) VALUES ('delete', old.id, old.title, old.heading, old.text);
        DELETE FROM vectors WHERE chunk_id = old.id;
    END;
)";

constexpr const char* kChunkColumns = "c.id, c.document, c.title, c.page, c.position, c.text, c.heading";

Chunk chunk_of_row(const Statement& row) {
    Chunk chunk;
    chunk.id = row.integer(0);
    chunk.document = row.text(1);
    chunk.title = row.text(2);
    chunk.page = static_cast<int>(row.integer(3));
    chunk.position = static_cast<int>(row.integer(4));
    chunk.text = row.text(5);
    chunk.heading = row.text(6);
    return chunk;
}

Result<std::size_t> checked_k(int k) {
    if (k < 1) return fail(ErrorCode::invalid_argument, fmt::format("k is {}, less than 1", k));
    return static_cast<std::size_t>(std::min(k, Collection::kMaxHits));
}

// Makes the vectors unit length and checks that they fit each other, the chunks and the collection.
Result<void> check_vectors(std::size_t chunks, std::vector<std::vector<float>>& vectors, int dimension) {
    if (vectors.size() != chunks) return fail(ErrorCode::invalid_argument, fmt::format("{} vectors for {} chunks", vectors.size(), chunks));
    for (std::vector<float>& vector : vectors) {
        if (vector.empty() || static_cast<int>(vector.size()) != dimension)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("a vector of {} components in a collection of {}", vector.size(), dimension));
        if (!normalise(vector)) return fail(ErrorCode::invalid_argument, "a vector with a component that is not finite");
    }
    return {};
}

}  // namespace

// Functions ending in _locked want `mutex` held.
struct Collection::Impl {
    explicit Impl(Database opened) : database(std::move(opened)) {}

    mutable std::mutex mutex;
    mutable Database database;
    // What a search scans; rebuilt when this or another process has changed the file.
    mutable std::shared_ptr<const VectorIndex> index;
    mutable std::int64_t index_version = 0;

    Result<void> prepare_file() {
        PLIMSOLL_TRY(database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"));
        return database.prepare_schema(kSchemaVersion, kSchema);
    }

    Result<std::string> meta_locked(std::string_view key) const {
        auto statement = database.prepare("SELECT value FROM meta WHERE key = ?");
        if (!statement) return fail(statement.error());
        const auto row = statement->bind(key).step();
        if (!row) return fail(row.error());
        return *row ? statement->text(0) : std::string();
    }

    Result<void> set_meta_locked(std::string_view key, std::string_view value) {
        auto statement = database.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
        if (!statement) return fail(statement.error());
        return statement->bind(key).bind(value).run();
    }

    Result<int> dimension_locked() const {
        const auto text = meta_locked("dimension");
        if (!text) return fail(text.error());
        return std::atoi(text->c_str());
    }

    Result<void> delete_locked(const std::string& name) {
        for (const char* sql : {"DELETE FROM chunks WHERE document = ?", "DELETE FROM documents WHERE name = ?"}) {
            auto statement = database.prepare(sql);
            if (!statement) return fail(statement.error());
            PLIMSOLL_TRY(statement->bind(name).run());
        }
        return {};
    }

    Result<void> insert_locked(const Document& document, const std::string& hash, const std::vector<Chunk>& chunks,
                               const std::vector<std::vector<float>>& vectors) {
        auto add_document = database.prepare("INSERT INTO documents VALUES (?, ?, ?, ?)");
        if (!add_document) return fail(add_document.error());
        const auto pages = static_cast<std::int64_t>(document.pages.size());
        PLIMSOLL_TRY(add_document->bind(document.name).bind(document.title).bind(hash).bind(pages).run());
        auto add_chunk = database.prepare("INSERT INTO chunks (document, title, page, position, text, heading) VALUES (?, ?, ?, ?, ?, ?)");
        if (!add_chunk) return fail(add_chunk.error());
        auto add_vector = database.prepare("INSERT INTO vectors VALUES (?, ?)");
        if (!add_vector) return fail(add_vector.error());
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            const Chunk& chunk = chunks[i];
            add_chunk->reset();
            add_chunk->bind(document.name).bind(chunk.title).bind(std::int64_t{chunk.page}).bind(static_cast<std::int64_t>(i));
            PLIMSOLL_TRY(add_chunk->bind(chunk.text).bind(chunk.heading).run());
            add_vector->reset();
            PLIMSOLL_TRY(add_vector->bind(database.last_insert_id()).bind(std::span(vectors[i])).run());
        }
        return {};
    }

    Result<std::shared_ptr<const VectorIndex>> index_locked() const {
        const auto version = database.integer("PRAGMA data_version");  // changes when another connection commits
        if (!version) return fail(version.error());
        if (index && index_version == *version) return index;
        const auto dimension = dimension_locked();
        if (!dimension) return fail(dimension.error());
        auto fresh = std::make_shared<VectorIndex>(static_cast<std::size_t>(*dimension));
        auto rows = database.prepare("SELECT chunk_id, vector FROM vectors ORDER BY chunk_id");
        if (!rows) return fail(rows.error());
        std::vector<float> vector(static_cast<std::size_t>(*dimension));
        for (;;) {
            const auto row = rows->step();
            if (!row) return fail(row.error());
            if (!*row) break;
            const auto bytes = rows->bytes(1);
            if (bytes.size() != vector.size() * sizeof(float)) return fail(ErrorCode::parse, "a stored vector has a wrong length");
            std::memcpy(vector.data(), bytes.data(), bytes.size());
            fresh->add(rows->integer(0), vector);
        }
        index = fresh;
        index_version = *version;
        return index;
    }

    Result<Ranking> rank_by_words_locked(const std::string& text, std::size_t k) const {
        const std::string query = keyword_query(text, kMaxQueryWords);
        Ranking ranking;
        if (query.empty()) return ranking;
        auto rows =
            database.prepare("SELECT rowid, -bm25(words) AS score FROM words WHERE words MATCH ? ORDER BY score DESC, rowid LIMIT ?");
        if (!rows) return fail(rows.error());
        rows->bind(query).bind(static_cast<std::int64_t>(k));
        for (;;) {
            const auto row = rows->step();
            if (!row) return fail(row.error());
            if (!*row) return ranking;
            ranking.emplace_back(rows->integer(0), rows->number(1));
        }
    }

    Result<std::vector<Hit>> hits_locked(const Ranking& ranking) const {
        auto rows = database.prepare(fmt::format("SELECT {} FROM chunks c WHERE c.id = ?", kChunkColumns));
        if (!rows) return fail(rows.error());
        std::vector<Hit> hits;
        for (const auto& [id, score] : ranking) {
            rows->reset();
            const auto row = rows->bind(id).step();
            if (!row) return fail(row.error());
            // A ranking of vectors is made without the lock; its chunk may have gone since.
            if (*row) hits.push_back({chunk_of_row(*rows), score});
        }
        return hits;
    }

    Result<Ranking> rank_by_vector(const std::vector<float>& vector, std::size_t k) const {
        std::shared_ptr<const VectorIndex> scanned;
        {
            const std::lock_guard lock(mutex);
            auto current = index_locked();
            if (!current) return fail(current.error());
            scanned = std::move(*current);
        }
        if (scanned->size() == 0) return Ranking{};
        if (scanned->dimension() != vector.size())
            return fail(ErrorCode::invalid_argument,
                        fmt::format("the collection's vectors have {} components, the query's {}", scanned->dimension(), vector.size()));
        return scanned->nearest(vector, k);
    }
};

Collection::Collection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Collection::~Collection() = default;

Result<std::unique_ptr<Collection>> Collection::open(const std::filesystem::path& file, const std::string& embedding_model) {
    if (file.has_parent_path()) PLIMSOLL_TRY(make_folder(file.parent_path()));
    const std::string context = fmt::format("opening collection {}", file.string());
    auto database = Database::open(file);
    if (!database) return fail(database.error().with_context(context));
    auto impl = std::make_unique<Impl>(std::move(*database));
    if (const auto prepared = impl->prepare_file(); !prepared) return fail(prepared.error().with_context(context));
    std::unique_ptr<Collection> collection(new Collection(std::move(impl)));
    if (embedding_model.empty()) return collection;
    if (const auto bound = collection->bind_model(embedding_model); !bound) return fail(bound.error().with_context(context));
    return collection;
}

Result<void> Collection::bind_model(const std::string& embedding_model) {
    const std::lock_guard lock(impl_->mutex);
    const auto stored = impl_->meta_locked("embedding_model");
    if (!stored) return fail(stored.error());
    if (stored->empty()) return impl_->set_meta_locked("embedding_model", embedding_model);
    if (*stored != embedding_model)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("it was embedded with {}, not {}; ingest the documents again into a new collection", *stored, embedding_model));
    return {};
}

Result<std::string> Collection::embedding_model() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->meta_locked("embedding_model");
}

Result<int> Collection::dimension() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->dimension_locked();
}

Result<void> Collection::replace_document(const Document& document, const std::string& content_hash, std::vector<Chunk> chunks,
                                          std::vector<std::vector<float>> vectors) {
    const std::lock_guard lock(impl_->mutex);
    auto transaction = Transaction::begin(impl_->database);
    if (!transaction) return fail(transaction.error());
    const auto stored = impl_->dimension_locked();
    if (!stored) return fail(stored.error());
    const int dimension = *stored == 0 && !vectors.empty() ? static_cast<int>(vectors.front().size()) : *stored;
    PLIMSOLL_TRY(check_vectors(chunks.size(), vectors, dimension));
    if (*stored != dimension) PLIMSOLL_TRY(impl_->set_meta_locked("dimension", std::to_string(dimension)));
    PLIMSOLL_TRY(impl_->delete_locked(document.name));
    PLIMSOLL_TRY(impl_->insert_locked(document, content_hash, chunks, vectors));
    const auto count = impl_->database.integer("SELECT count(*) FROM chunks");
    if (!count) return fail(count.error());
    if (*count > kMaxChunks) return fail(ErrorCode::limit, fmt::format("a collection holds at most {} chunks", kMaxChunks));
    PLIMSOLL_TRY(transaction->commit());
    impl_->index = nullptr;
    return {};
}

Result<void> Collection::remove_document(const std::string& name) {
    const std::lock_guard lock(impl_->mutex);
    auto transaction = Transaction::begin(impl_->database);
    if (!transaction) return fail(transaction.error());
    PLIMSOLL_TRY(impl_->delete_locked(name));
    PLIMSOLL_TRY(transaction->commit());
    impl_->index = nullptr;
    return {};
}

Result<std::optional<std::string>> Collection::document_hash(const std::string& name) const {
    const std::lock_guard lock(impl_->mutex);
    auto statement = impl_->database.prepare("SELECT hash FROM documents WHERE name = ?");
    if (!statement) return fail(statement.error());
    const auto row = statement->bind(name).step();
    if (!row) return fail(row.error());
    return *row ? std::optional(statement->text(0)) : std::nullopt;
}

Result<std::vector<DocumentInfo>> Collection::documents() const {
    const std::lock_guard lock(impl_->mutex);
    auto rows = impl_->database.prepare(
        "SELECT name, title, hash, pages, (SELECT count(*) FROM chunks WHERE document = name) FROM documents ORDER BY name");
    if (!rows) return fail(rows.error());
    std::vector<DocumentInfo> documents;
    for (;;) {
        const auto row = rows->step();
        if (!row) return fail(row.error());
        if (!*row) return documents;
        documents.push_back(
            {rows->text(0), rows->text(1), rows->text(2), static_cast<int>(rows->integer(3)), static_cast<int>(rows->integer(4))});
    }
}

Result<std::int64_t> Collection::chunk_count() const {
    const std::lock_guard lock(impl_->mutex);
    return impl_->database.integer("SELECT count(*) FROM chunks");
}

Result<Chunk> Collection::chunk(std::int64_t id) const {
    const std::lock_guard lock(impl_->mutex);
    auto hits = impl_->hits_locked({{id, 0}});
    if (!hits) return fail(hits.error());
    if (hits->empty()) return fail(ErrorCode::not_found, fmt::format("no chunk {}", id));
    return std::move(hits->front().chunk);
}

Result<std::vector<Hit>> Collection::search(const std::string& text, const std::vector<float>& vector, int k) const {
    if (vector.empty()) return search_text(text, k);
    const auto count = checked_k(k);
    if (!count) return fail(count.error());
    const std::size_t depth = std::max(*count, static_cast<std::size_t>(kFusionDepth));
    const auto by_vector = impl_->rank_by_vector(vector, depth);
    if (!by_vector) return fail(by_vector.error());
    const std::lock_guard lock(impl_->mutex);
    const auto by_words = impl_->rank_by_words_locked(text, depth);
    if (!by_words) return fail(by_words.error());
    return impl_->hits_locked(fuse_ranks(*by_words, *by_vector, kFusionConstant, *count));
}

Result<std::vector<Hit>> Collection::search_text(const std::string& text, int k) const {
    const auto count = checked_k(k);
    if (!count) return fail(count.error());
    const std::lock_guard lock(impl_->mutex);
    const auto ranking = impl_->rank_by_words_locked(text, *count);
    if (!ranking) return fail(ranking.error());
    return impl_->hits_locked(*ranking);
}

Result<std::vector<Hit>> Collection::search_vector(const std::vector<float>& vector, int k) const {
    const auto count = checked_k(k);
    if (!count) return fail(count.error());
    const auto ranking = impl_->rank_by_vector(vector, *count);
    if (!ranking) return fail(ranking.error());
    const std::lock_guard lock(impl_->mutex);
    return impl_->hits_locked(*ranking);
}

}  // namespace plimsoll::retrieval
