// Checkpoints in memory: for tests, for sessions that need not survive the process, and for thousands that wait for a person.
//
// Compact on purpose: a checkpoint is one packed string and its values, and a value that did not change is the parent's.
// Call order and threads: checkpoint.h. Nothing blocks; one mutex is held for the length of a map operation.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/checkpoint.h"

namespace plimsoll::graph {

class MemorySaver final : public CheckpointSaver {
  public:
    // Of each thread and space only the latest `keep_latest` checkpoints stay; 0 = all. Time travel needs them all.
    explicit MemorySaver(std::size_t keep_latest = 0) : keep_latest_(keep_latest) {}

    asio::awaitable<Result<void>> put(CheckpointKey key, Checkpoint checkpoint, CheckpointMetadata metadata,
                                      std::vector<std::string> changed) override;
    asio::awaitable<Result<void>> put_writes(CheckpointKey key, std::string task, std::vector<PendingWrite> writes) override;
    asio::awaitable<Result<std::optional<StoredCheckpoint>>> get(CheckpointKey key) override;
    asio::awaitable<Result<std::vector<StoredCheckpoint>>> list(std::string thread, ListOptions options) override;
    asio::awaitable<Result<void>> delete_thread(std::string thread) override;
    asio::awaitable<Result<void>> copy_thread(std::string from, std::string to) override;
    asio::awaitable<Result<void>> prune(std::vector<std::string> threads, Keep keep) override;
    asio::awaitable<Result<void>> delete_runs(std::vector<std::string> runs) override;

  private:
    struct Entry {
        std::string id;
        std::string packed;
        std::vector<Blob> values;  // in the order of the packed names
        std::vector<PendingWrite> writes;
    };
    using Space = std::vector<Entry>;  // by id, the latest last; never empty
    using Thread = std::map<std::string, Space, std::less<>>;

    // All but store() with the mutex held.
    Space* find_space(const CheckpointKey& key);
    Entry* find_entry(const CheckpointKey& key);  // id empty: the latest
    Result<void> store(CheckpointKey& key, Checkpoint& checkpoint, const CheckpointMetadata& metadata,
                       const std::vector<std::string>& changed);
    static Result<StoredCheckpoint> load(const std::string& thread, const std::string& space, const Entry& entry);

    const std::size_t keep_latest_;
    std::mutex mutex_;
    std::unordered_map<std::string, Thread> threads_;
};

}  // namespace plimsoll::graph
