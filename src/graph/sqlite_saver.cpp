#include "graph/sqlite_saver.h"

#include <utility>

#include "graph/checkpoint_tables.h"

namespace plimsoll::graph {
namespace {

Result<sqlite::Database> open_connection(const std::filesystem::path& file, std::chrono::milliseconds busy_wait, const char* settings) {
    auto database = sqlite::Database::open(file, busy_wait);
    if (!database) return database;
    PLIMSOLL_TRY(database->run(settings));
    return database;
}

}  // namespace

SqliteSaver::SqliteSaver(sqlite::Database writer, sqlite::Database reader, std::size_t max_batch)
    : writer_(std::move(writer), sqlite::DatabaseThread::Mode::write, max_batch),
      reader_(std::move(reader), sqlite::DatabaseThread::Mode::read) {}

Result<std::shared_ptr<SqliteSaver>> SqliteSaver::open(const std::filesystem::path& file) { return open(file, Options{}); }

Result<std::shared_ptr<SqliteSaver>> SqliteSaver::open(const std::filesystem::path& file, Options options) {
    auto writer = open_connection(file, options.busy_wait, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    if (!writer) return fail(writer.error().with_context(file.string()));
    if (const auto prepared = CheckpointTables::prepare(*writer); !prepared) return fail(prepared.error().with_context(file.string()));
    auto reader = open_connection(file, options.busy_wait, "PRAGMA query_only = 1");
    if (!reader) return fail(reader.error().with_context(file.string()));
    return std::shared_ptr<SqliteSaver>(new SqliteSaver(std::move(*writer), std::move(*reader), options.max_batch));
}

asio::awaitable<Result<void>> SqliteSaver::put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                               std::vector<std::string> changed) {
    return writer_.run([key = std::move(key), checkpoint = std::move(checkpoint), metadata = std::move(metadata),
                        changed = std::move(changed)](sqlite::Database& database) {
        return CheckpointTables(database).put(key, checkpoint, metadata, changed);
    });
}

asio::awaitable<Result<void>> SqliteSaver::put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) {
    return writer_.run([key = std::move(key), task = std::move(task), writes = std::move(writes)](sqlite::Database& database) {
        return CheckpointTables(database).put_writes(key, task, writes);
    });
}

asio::awaitable<Result<std::optional<StoredCheckpoint>>> SqliteSaver::get(CheckpointKey key) {
    return reader_.run([key = std::move(key)](sqlite::Database& database) { return CheckpointTables(database).get(key); });
}

asio::awaitable<Result<std::vector<StoredCheckpoint>>> SqliteSaver::list(std::string thread, ListOptions options) {
    return reader_.run([thread = std::move(thread), options = std::move(options)](sqlite::Database& database) {
        return CheckpointTables(database).list(thread, options);
    });
}

asio::awaitable<Result<void>> SqliteSaver::delete_thread(std::string thread) {
    return writer_.run(
        [thread = std::move(thread)](sqlite::Database& database) { return CheckpointTables(database).delete_thread(thread); });
}

asio::awaitable<Result<void>> SqliteSaver::copy_thread(std::string from, std::string to) {
    return writer_.run([from = std::move(from), to = std::move(to)](sqlite::Database& database) {
        return CheckpointTables(database).copy_thread(from, to);
    });
}

asio::awaitable<Result<void>> SqliteSaver::prune(std::vector<std::string> threads, Keep keep) {
    return writer_.run([threads = std::move(threads), keep](sqlite::Database& database) -> Result<void> {
        for (const std::string& thread : threads) PLIMSOLL_TRY(CheckpointTables(database).prune(thread, keep));
        return {};
    });
}

asio::awaitable<Result<void>> SqliteSaver::delete_runs(std::vector<std::string> runs) {
    return writer_.run([runs = std::move(runs)](sqlite::Database& database) -> Result<void> {
        for (const std::string& run : runs) PLIMSOLL_TRY(CheckpointTables(database).delete_run(run));
        return {};
    });
}

}  // namespace plimsoll::graph
