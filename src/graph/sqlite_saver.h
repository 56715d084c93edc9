// Checkpoints in one SQLite file (WAL), which several processes may share.
//
// A put or put_writes that has completed is on the disk (synchronous = FULL) and survives kill -9 and power loss; one that
// was cut off is not there at all. Calls of many sessions that arrive together share one sync of the disk.
// Call order and threads: checkpoint.h. Has two threads: one writes, one reads. The destructor finishes the calls that wait.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "graph/checkpoint.h"
#include "sqlite/database_thread.h"

namespace plimsoll::graph {

class SqliteSaver final : public CheckpointSaver {
  public:
    struct Options {
        std::size_t max_batch = sqlite::DatabaseThread::kDefaultBatch;   // calls that share one sync at most
        std::chrono::milliseconds busy_wait = std::chrono::seconds(10);  // for another process's write; then in_use
    };

    // Opens or makes the file. Errors: io, no_space, parse (another kind of file), unsupported (a newer version's file).
    static Result<std::shared_ptr<SqliteSaver>> open(const std::filesystem::path& file);
    static Result<std::shared_ptr<SqliteSaver>> open(const std::filesystem::path& file, Options options);

    asio::awaitable<Result<void>> put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                      std::vector<std::string> changed) override;
    asio::awaitable<Result<void>> put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) override;
    asio::awaitable<Result<std::optional<StoredCheckpoint>>> get(CheckpointKey key) override;
    asio::awaitable<Result<std::vector<StoredCheckpoint>>> list(std::string thread, ListOptions options) override;
    asio::awaitable<Result<void>> delete_thread(std::string thread) override;
    asio::awaitable<Result<void>> copy_thread(std::string from, std::string to) override;
    asio::awaitable<Result<void>> prune(std::vector<std::string> threads, Keep keep) override;
    asio::awaitable<Result<void>> delete_runs(std::vector<std::string> runs) override;

    std::size_t waiting_writes() const { return writer_.waiting(); }
    std::uint64_t transactions() const { return writer_.transactions(); }  // of writes, committed since open()

  private:
    SqliteSaver(sqlite::Database writer, sqlite::Database reader, std::size_t max_batch);

    sqlite::DatabaseThread writer_;
    sqlite::DatabaseThread reader_;
};

}  // namespace plimsoll::graph
