#include "graph/checkpoint_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "graph/checkpoint_codec.h"

namespace plimsoll::graph {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

// `origins` names, value by value, the put that stored it. `number` grows, and so keeps the order of pending writes.
constexpr const char* kSchema = R"(
    CREATE TABLE checkpoints (thread TEXT NOT NULL, space TEXT NOT NULL, id TEXT NOT NULL, run TEXT NOT NULL, packed BLOB NOT NULL,
                              origins BLOB NOT NULL, PRIMARY KEY (thread, space, id)) WITHOUT ROWID;
    CREATE INDEX checkpoints_of_run ON checkpoints (run) WHERE run <> '';
    CREATE TABLE channel_values (thread TEXT NOT NULL, space TEXT NOT NULL, channel TEXT NOT NULL, origin TEXT NOT NULL,
                                 value TEXT NOT NULL, PRIMARY KEY (thread, space, channel, origin)) WITHOUT ROWID;
    CREATE TABLE writes (number INTEGER PRIMARY KEY, thread TEXT NOT NULL, space TEXT NOT NULL, checkpoint TEXT NOT NULL,
                         task TEXT NOT NULL, channel TEXT NOT NULL, value TEXT NOT NULL);
    CREATE INDEX writes_of_task ON writes (thread, space, checkpoint, task);
)";

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

Result<void> CheckpointTables::prepare(sqlite::Database& database) {
    PLIMSOLL_TRY(database.prepare_schema(kSchemaVersion, kSchema));
    // A database of something else may have the same version number.
    const auto tables =
        database.integer("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('checkpoints', 'channel_values', 'writes')");
    if (!tables) return fail(tables.error());
    if (*tables != 3) return fail(ErrorCode::parse, "a database, but not one of checkpoints");
    return {};
}

Result<CheckpointTables::Row> CheckpointTables::read_row(const std::string& thread, const sqlite::Query& row) {
    auto stored = unpack_checkpoint({thread, row->text(0), row->text(1)}, text_of(row->bytes(2)));
    if (!stored) return fail(std::move(stored).error());
    auto origins = unpack_strings(text_of(row->bytes(3)));
    if (!origins) return fail(std::move(origins).error());
    if (origins->size() != stored->checkpoint.values.size())
        return fail(ErrorCode::parse, fmt::format("the checkpoint {} of thread {} is damaged", stored->key.id, thread));
    return Row{std::move(*stored), std::move(*origins)};
}

Result<std::optional<CheckpointTables::Row>> CheckpointTables::find_row(const CheckpointKey& key) {
    auto select =
        database_.query(key.id.empty() ? "SELECT space, id, packed, origins FROM checkpoints WHERE thread = ? AND space = ? "
                                         "ORDER BY id DESC LIMIT 1"
                                       : "SELECT space, id, packed, origins FROM checkpoints WHERE thread = ? AND space = ? AND id = ?");
    if (!select) return fail(std::move(select).error());
    select->bind(key.thread, key.space);
    if (!key.id.empty()) select->bind(key.id);
    const auto found = (*select)->step();
    if (!found) return fail(found.error());
    if (!*found) return std::optional<Row>();
    auto row = read_row(key.thread, *select);
    if (!row) return fail(std::move(row).error());
    return std::optional<Row>(std::move(*row));
}

Result<void> CheckpointTables::put(const CheckpointKey& key, const Checkpoint& checkpoint, const CheckpointMetadata& metadata,
                                   const std::vector<std::string>& changed) {
    std::optional<Row> parent;
    if (!key.id.empty() && !checkpoint.values.empty()) {
        auto found = find_row(key);
        if (!found) return fail(std::move(found).error());
        parent = std::move(*found);
    }
    // Not the checkpoint's id: one that is written again must not change the values that its children share.
    const std::string origin = make_checkpoint_id();
    std::vector<std::string> origins;
    for (const auto& [name, blob] : checkpoint.values) {
        PLIMSOLL_CHECK(blob != nullptr, "a checkpoint's value is null: " + name);
        if (parent && is_unchanged(name, checkpoint, &parent->stored.checkpoint, changed)) {
            const auto& before = parent->stored.checkpoint.values;
            origins.push_back(parent->origins[static_cast<std::size_t>(std::distance(before.begin(), before.find(name)))]);
            continue;
        }
        auto insert = database_.query("INSERT INTO channel_values VALUES (?, ?, ?, ?, ?)");
        if (!insert) return fail(std::move(insert).error());
        PLIMSOLL_TRY(insert->bind(key.thread, key.space, name, origin, *blob)->run());
        origins.push_back(origin);
    }
    auto insert = database_.query("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)");
    if (!insert) return fail(std::move(insert).error());
    const std::string packed = pack_checkpoint(key.id, checkpoint, metadata);
    const std::string packed_origins = pack_strings(origins);
    insert->bind(key.thread, key.space, checkpoint.id, metadata.run, bytes_of(packed), bytes_of(packed_origins));
    return (*insert)->run();
}

Result<void> CheckpointTables::put_writes(const CheckpointKey& key, const std::string& task, const std::vector<PendingWrite>& writes) {
    auto row = find_row(key);
    if (!row) return fail(std::move(row).error());
    if (!*row) return fail(ErrorCode::not_found, fmt::format("no checkpoint {} of thread {}", key.id, key.thread));
    const std::string& checkpoint = (*row)->stored.key.id;
    const auto has_result = has_task_result(key, checkpoint, task);
    if (!has_result) return fail(has_result.error());

    for (const PendingWrite& write : writes) {
        if (!replaces_earlier(write.channel)) continue;
        auto remove = database_.query("DELETE FROM writes WHERE thread = ? AND space = ? AND checkpoint = ? AND task = ? AND channel = ?");
        if (!remove) return fail(std::move(remove).error());
        PLIMSOLL_TRY(remove->bind(key.thread, key.space, checkpoint, task, write.channel)->run());
    }
    for (const PendingWrite& write : writes) {
        if (*has_result && !replaces_earlier(write.channel)) continue;
        PLIMSOLL_CHECK(write.value != nullptr, "a write's value is null: " + write.channel);
        auto insert = database_.query("INSERT INTO writes (thread, space, checkpoint, task, channel, value) VALUES (?, ?, ?, ?, ?, ?)");
        if (!insert) return fail(std::move(insert).error());
        PLIMSOLL_TRY(insert->bind(key.thread, key.space, checkpoint, task, write.channel, *write.value)->run());
    }
    return {};
}

// True when the task's own writes, not only records about it, are stored.
Result<bool> CheckpointTables::has_task_result(const CheckpointKey& key, const std::string& checkpoint, const std::string& task) {
    auto select = database_.query("SELECT channel FROM writes WHERE thread = ? AND space = ? AND checkpoint = ? AND task = ?");
    if (!select) return fail(std::move(select).error());
    select->bind(key.thread, key.space, checkpoint, task);
    for (;;) {
        const auto more = (*select)->step();
        if (!more) return more;
        if (!*more || !replaces_earlier((*select)->text(0))) return *more;
    }
}

Result<void> CheckpointTables::load_values(Row& row, Loaded& loaded) {
    const CheckpointKey& key = row.stored.key;
    auto origin = row.origins.begin();
    for (auto& [name, blob] : row.stored.checkpoint.values) {
        const std::string& from = *origin++;
        Blob& known = loaded[fmt::format("{}\n{}\n{}", key.space, name, from)];
        if (!known) {
            auto select = database_.query("SELECT value FROM channel_values WHERE thread = ? AND space = ? AND channel = ? AND origin = ?");
            if (!select) return fail(std::move(select).error());
            const auto found = select->bind(key.thread, key.space, name, from)->step();
            if (!found) return fail(found.error());
            if (!*found) return fail(ErrorCode::parse, fmt::format("the checkpoint {} of thread {} has lost {}", key.id, key.thread, name));
            known = std::make_shared<const std::string>((*select)->text(0));
        }
        blob = known;
    }
    return {};
}

Result<void> CheckpointTables::load_writes(StoredCheckpoint& stored) {
    auto select =
        database_.query("SELECT task, channel, value FROM writes WHERE thread = ? AND space = ? AND checkpoint = ? ORDER BY number");
    if (!select) return fail(std::move(select).error());
    select->bind(stored.key.thread, stored.key.space, stored.key.id);
    for (;;) {
        const auto more = (*select)->step();
        if (!more) return fail(more.error());
        if (!*more) return {};
        stored.writes.push_back({(*select)->text(0), (*select)->text(1), std::make_shared<const std::string>((*select)->text(2))});
    }
}

Result<std::optional<StoredCheckpoint>> CheckpointTables::get(const CheckpointKey& key) {
    auto row = find_row(key);
    if (!row) return fail(std::move(row).error());
    if (!*row) return std::optional<StoredCheckpoint>();
    Loaded loaded;
    PLIMSOLL_TRY(load_values(**row, loaded));
    PLIMSOLL_TRY(load_writes((*row)->stored));
    return std::optional<StoredCheckpoint>(std::move((*row)->stored));
}

Result<std::vector<StoredCheckpoint>> CheckpointTables::list(const std::string& thread, const ListOptions& options) {
    auto select = database_.query(
        "SELECT space, id, packed, origins FROM checkpoints WHERE thread = ? AND (? OR space = ?) AND (? OR id < ?) ORDER BY id DESC");
    if (!select) return fail(std::move(select).error());
    const std::string space = options.space.value_or("");
    select->bind(thread, std::int64_t{!options.space}, space, std::int64_t{options.before.empty()}, options.before);
    std::vector<StoredCheckpoint> result;
    Loaded loaded;
    while (!options.limit || result.size() < *options.limit) {
        const auto more = (*select)->step();
        if (!more) return fail(more.error());
        if (!*more) break;
        auto row = read_row(thread, *select);
        if (!row) return fail(std::move(row).error());
        if (!matches(row->stored.metadata, options.filter)) continue;
        PLIMSOLL_TRY(load_values(*row, loaded));
        PLIMSOLL_TRY(load_writes(row->stored));
        result.push_back(std::move(row->stored));
    }
    return result;
}

Result<void> CheckpointTables::run_for_thread(const char* sql, const std::string& thread) {
    auto statement = database_.query(sql);
    if (!statement) return fail(std::move(statement).error());
    return statement->bind(thread)->run();
}

Result<void> CheckpointTables::delete_thread(const std::string& thread) {
    PLIMSOLL_TRY(run_for_thread("DELETE FROM checkpoints WHERE thread = ?", thread));
    PLIMSOLL_TRY(run_for_thread("DELETE FROM channel_values WHERE thread = ?", thread));
    return run_for_thread("DELETE FROM writes WHERE thread = ?", thread);
}

Result<bool> CheckpointTables::has_thread(const std::string& thread) {
    auto select = database_.query("SELECT 1 FROM checkpoints WHERE thread = ? LIMIT 1");
    if (!select) return fail(std::move(select).error());
    return select->bind(thread)->step();
}

Result<void> CheckpointTables::copy_thread(const std::string& from, const std::string& to) {
    const auto has_source = has_thread(from);
    if (!has_source) return fail(has_source.error());
    if (!*has_source) return {};
    const auto has_target = has_thread(to);
    if (!has_target) return fail(has_target.error());
    if (*has_target) return fail(ErrorCode::in_use, fmt::format("thread {} has checkpoints already", to));
    for (const char* sql : {"INSERT INTO checkpoints SELECT ?, space, id, run, packed, origins FROM checkpoints WHERE thread = ?",
                            "INSERT INTO channel_values SELECT ?, space, channel, origin, value FROM channel_values WHERE thread = ?",
                            "INSERT INTO writes (thread, space, checkpoint, task, channel, value) "
                            "SELECT ?, space, checkpoint, task, channel, value FROM writes WHERE thread = ? ORDER BY number"}) {
        auto copy = database_.query(sql);
        if (!copy) return fail(std::move(copy).error());
        PLIMSOLL_TRY(copy->bind(to, from)->run());
    }
    return {};
}

Result<void> CheckpointTables::prune(const std::string& thread, Keep keep) {
    if (keep == Keep::none) return delete_thread(thread);
    PLIMSOLL_TRY(
        run_for_thread("DELETE FROM checkpoints WHERE thread = ? AND id < "
                       "(SELECT max(id) FROM checkpoints c WHERE c.thread = checkpoints.thread AND c.space = checkpoints.space)",
                       thread));
    return drop_orphans(thread);
}

Result<void> CheckpointTables::delete_run(const std::string& run) {
    if (run.empty()) return {};
    std::set<std::string> threads;
    {
        auto select = database_.query("SELECT thread FROM checkpoints WHERE run = ? AND run <> ''");
        if (!select) return fail(std::move(select).error());
        select->bind(run);
        for (;;) {
            const auto more = (*select)->step();
            if (!more) return fail(more.error());
            if (!*more) break;
            threads.insert((*select)->text(0));
        }
    }
    PLIMSOLL_TRY(run_for_thread("DELETE FROM checkpoints WHERE run = ? AND run <> ''", run));
    for (const std::string& thread : threads) PLIMSOLL_TRY(drop_orphans(thread));
    return {};
}

// Deletes the thread's values and writes that belong to no checkpoint any more.
Result<void> CheckpointTables::drop_orphans(const std::string& thread) {
    PLIMSOLL_TRY(
        run_for_thread("DELETE FROM writes WHERE thread = ? AND NOT EXISTS (SELECT 1 FROM checkpoints c WHERE "
                       "c.thread = writes.thread AND c.space = writes.space AND c.id = writes.checkpoint)",
                       thread));
    using Value = std::tuple<std::string, std::string, std::string>;  // space, channel, origin
    std::set<Value> used;
    auto rows = database_.query("SELECT space, id, packed, origins FROM checkpoints WHERE thread = ?");
    if (!rows) return fail(std::move(rows).error());
    rows->bind(thread);
    for (;;) {
        const auto more = (*rows)->step();
        if (!more) return fail(more.error());
        if (!*more) break;
        auto row = read_row(thread, *rows);
        if (!row) return fail(std::move(row).error());
        auto origin = row->origins.begin();
        for (const auto& [name, blob] : row->stored.checkpoint.values) used.emplace(row->stored.key.space, name, *origin++);
    }
    std::vector<Value> orphans;
    auto values = database_.query("SELECT space, channel, origin FROM channel_values WHERE thread = ?");
    if (!values) return fail(std::move(values).error());
    values->bind(thread);
    for (;;) {
        const auto more = (*values)->step();
        if (!more) return fail(more.error());
        if (!*more) break;
        Value value{(*values)->text(0), (*values)->text(1), (*values)->text(2)};
        if (!used.contains(value)) orphans.push_back(std::move(value));
    }
    for (const auto& [space, channel, origin] : orphans) {
        auto remove = database_.query("DELETE FROM channel_values WHERE thread = ? AND space = ? AND channel = ? AND origin = ?");
        if (!remove) return fail(std::move(remove).error());
        PLIMSOLL_TRY(remove->bind(thread, space, channel, origin)->run());
    }
    return {};
}

}  // namespace plimsoll::graph
