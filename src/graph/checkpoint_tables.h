// The SQL of SqliteSaver: checkpoints, values and pending writes in the tables of one connection.
//
// A value is stored once, under the `origin` of the put that brought it; later checkpoints whose channel did not change name
// the same origin. Values that no checkpoint names any more go when checkpoints are deleted.
// A view of a connection, made for a call; each call wants a transaction around it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "graph/checkpoint.h"
#include "sqlite/database.h"

namespace plimsoll::graph {

class CheckpointTables {
  public:
    // Makes the tables in a new file. Errors: io, no_space, parse, unsupported (a newer version's file).
    static Result<void> prepare(sqlite::Database& database);

    explicit CheckpointTables(sqlite::Database& database) : database_(database) {}

    // As the functions of CheckpointSaver.
    Result<void> put(const CheckpointKey& key, const Checkpoint& checkpoint, const CheckpointMetadata& metadata,
                     const std::vector<std::string>& changed);
    Result<void> put_writes(const CheckpointKey& key, const std::string& task, const std::vector<PendingWrite>& writes);
    Result<std::optional<StoredCheckpoint>> get(const CheckpointKey& key);
    Result<std::vector<StoredCheckpoint>> list(const std::string& thread, const ListOptions& options);
    Result<void> delete_thread(const std::string& thread);
    Result<void> copy_thread(const std::string& from, const std::string& to);
    Result<void> prune(const std::string& thread, Keep keep);
    Result<void> delete_run(const std::string& run);

  private:
    struct Row {
        StoredCheckpoint stored;           // values null, no writes
        std::vector<std::string> origins;  // one a value
    };
    using Loaded = std::unordered_map<std::string, Blob>;  // by space, channel and origin

    Result<std::optional<Row>> find_row(const CheckpointKey& key);
    static Result<Row> read_row(const std::string& thread, const sqlite::Query& row);
    Result<void> load_values(Row& row, Loaded& loaded);
    Result<void> load_writes(StoredCheckpoint& stored);
    Result<bool> has_task_result(const CheckpointKey& key, const std::string& checkpoint, const std::string& task);
    Result<bool> has_thread(const std::string& thread);
    Result<void> run_for_thread(const char* sql, const std::string& thread);
    Result<void> drop_orphans(const std::string& thread);

    sqlite::Database& database_;
};

}  // namespace plimsoll::graph
