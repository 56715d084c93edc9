#include "sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

#include "base/log.h"

namespace plimsoll::sqlite {
namespace {

ErrorCode code_of(int sqlite_code) {
    switch (sqlite_code & 0xFF) {
        case SQLITE_FULL: return ErrorCode::no_space;
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT: return ErrorCode::parse;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return ErrorCode::in_use;
        case SQLITE_TOOBIG: return ErrorCode::limit;
        default: return ErrorCode::io;
    }
}

// Why the last write to the file or its log failed. SQLite tells a full disk apart, but not a quota or a limit on file sizes.
int write_errno(sqlite3* handle) {
    int database_errno = 0;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &database_errno);
    int log_errno = 0;
    sqlite3_file* log = nullptr;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
    if (log != nullptr && log->pMethods != nullptr) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &log_errno);
    return log_errno != 0 ? log_errno : database_errno;
}

std::unexpected<Error> sqlite_error(sqlite3* handle, int code) {
    if (handle && (code & 0xFF) == SQLITE_IOERR)
        if (Error error = errno_error("SQLite: writing", write_errno(handle)); error.code == ErrorCode::no_space)
            return fail(std::move(error));
    return fail(code_of(code), fmt::format("SQLite: {}", handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code)));
}

}  // namespace

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Database::Database(sqlite3* handle) : handle_(handle) {}
Database::Database(Database&& other) noexcept = default;
Database& Database::operator=(Database&& other) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::filesystem::path& file, std::chrono::milliseconds busy_wait) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) return sqlite_error(handle, code);
    sqlite3_busy_timeout(handle, static_cast<int>(busy_wait.count()));
    return database;
}

Result<void> Database::run(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqlite_error(handle_.get(), code);
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) const {
    sqlite3_stmt* handle = nullptr;
    const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()), &handle, nullptr);
    if (code != SQLITE_OK) return sqlite_error(handle_.get(), code);
    return Statement(handle);
}

Result<Query> Database::query(const char* sql) {
    std::unique_ptr<Statement>& kept = statements_[sql];
    if (!kept) {
        auto statement = prepare(sql);
        if (!statement) return fail(std::move(statement).error());
        kept = std::make_unique<Statement>(std::move(*statement));
    }
    return Query(*kept);
}

Result<std::int64_t> Database::integer(const char* sql) const {
    auto statement = prepare(sql);
    if (!statement) return fail(std::move(statement).error());
    const auto row = statement->step();
    if (!row) return fail(row.error());
    if (!*row) return fail(ErrorCode::internal, fmt::format("SQLite: no row from {}", sql));
    return statement->integer(0);
}

Result<void> Database::prepare_schema(std::int64_t version, const char* schema) {
    auto found = integer("PRAGMA user_version");
    if (!found) return fail(std::move(found).error());
    if (*found > version)
        return fail(ErrorCode::unsupported, fmt::format("made by a newer version (schema {}, this one knows {})", *found, version));
    if (*found == version) return {};
    auto transaction = Transaction::begin(*this);
    if (!transaction) return fail(std::move(transaction).error());
    // Another process may have made the tables in the meantime.
    found = integer("PRAGMA user_version");
    if (!found) return fail(std::move(found).error());
    if (*found == 0) {
        PLIMSOLL_TRY(run(schema));
        PLIMSOLL_TRY(run(fmt::format("PRAGMA user_version = {}", version).c_str()));
    }
    return transaction->commit();
}

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

void Statement::Finalize::operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }

Statement& Statement::bind(std::int64_t value) {
    const int code = sqlite3_bind_int64(handle_.get(), next_++, value);
    if (bind_error_ == SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind(std::string_view value) {
    // SQLite takes a null pointer for NULL, and an empty view may hold one.
    const char* data = value.empty() ? "" : value.data();
    const int code = sqlite3_bind_text64(handle_.get(), next_++, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (bind_error_ == SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind(std::span<const std::byte> value) {
    const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
    const int code = sqlite3_bind_blob64(handle_.get(), next_++, data, value.size(), SQLITE_STATIC);
    if (bind_error_ == SQLITE_OK) bind_error_ = code;
    return *this;
}

Statement& Statement::bind(std::span<const float> value) { return bind(std::as_bytes(value)); }

Result<bool> Statement::step() {
    if (bind_error_ != SQLITE_OK) return sqlite_error(nullptr, bind_error_);
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return sqlite_error(sqlite3_db_handle(handle_.get()), code);
}

Result<void> Statement::run() {
    const auto row = step();
    if (!row) return fail(row.error());
    return {};
}

void Statement::reset() {
    // Reports the last step's error again; that one was returned by step().
    static_cast<void>(sqlite3_reset(handle_.get()));
    next_ = 1;
    bind_error_ = SQLITE_OK;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
double Statement::number(int column) const { return sqlite3_column_double(handle_.get(), column); }

std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))) : std::string();
}

std::span<const std::byte> Statement::bytes(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(handle_.get(), column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Query::Query(Query&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Query::~Query() {
    if (statement_) statement_->reset();
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
    PLIMSOLL_TRY(database.run(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN"));
    return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
    if (!database_ || !database_->in_transaction()) return;
    if (const auto rolled_back = database_->run("ROLLBACK"); !rolled_back) log_warning("rolling back: {}", rolled_back.error().message);
}

Result<void> Transaction::commit() {
    PLIMSOLL_TRY(database_->run("COMMIT"));
    database_ = nullptr;
    return {};
}

}  // namespace plimsoll::sqlite
