// SQLite with Result instead of codes. One Database is one connection; neither class is thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace plimsoll::sqlite {

class Statement;
class Query;

class Database {
  public:
    // Opens or makes the file. Later calls wait up to `busy_wait` for another connection's write, then fail with in_use.
    // Errors: io, no_space, parse (no SQLite file).
    static Result<Database> open(const std::filesystem::path& file, std::chrono::milliseconds busy_wait = std::chrono::seconds(10));

    Result<void> run(const char* sql);  // any number of statements, results dropped
    Result<Statement> prepare(std::string_view sql) const;
    // `sql` is a literal: its statement is prepared once and kept. One Query of a literal at a time.
    Result<Query> query(const char* sql);
    Result<std::int64_t> integer(const char* sql) const;  // the first column of the first row; `internal` without one
    // Brings a file whose user_version is 0 to `version` by running `schema` in one transaction; a file that has it is left alone.
    // Errors besides the file's: unsupported when a newer version made it.
    Result<void> prepare_schema(std::int64_t version, const char* schema);
    std::int64_t last_insert_id() const;
    // False once SQLite itself rolled the transaction back, as it does when the disk is full.
    bool in_transaction() const;

    Database(Database&& other) noexcept;
    Database& operator=(Database&& other) noexcept;
    ~Database();

  private:
    struct Close {
        void operator()(sqlite3* handle) const;
    };
    explicit Database(sqlite3* handle);
    std::unique_ptr<sqlite3, Close> handle_;
    std::unordered_map<const char*, std::unique_ptr<Statement>> statements_;
};

// bind() in order, step() until it says false, columns by index from 0. reset() starts over with new values.
// Bound text and bytes must live until the last step. Must not outlive its Database.
class Statement {
  public:
    Statement& bind(std::int64_t value);
    Statement& bind(std::string_view value);
    Statement& bind(std::span<const std::byte> value);  // as a blob
    Statement& bind(std::span<const float> value);      // as a blob, in the machine's byte order

    Result<bool> step();  // true: a row is there
    Result<void> run();   // for statements without rows
    void reset();

    std::int64_t integer(int column) const;
    double number(int column) const;
    std::string text(int column) const;
    std::span<const std::byte> bytes(int column) const;  // until the next step

  private:
    friend class Database;
    struct Finalize {
        void operator()(sqlite3_stmt* handle) const;
    };
    explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
    int next_ = 1;        // parameter
    int bind_error_ = 0;  // the first one, reported by step()
};

// A kept statement in use: reset, and so without a lock on the file, when it goes out of scope.
class Query {
  public:
    Query(Query&& other) noexcept;
    Query& operator=(Query&&) = delete;
    ~Query();

    template <class... Values>
    Query& bind(const Values&... values) {
        (statement_->bind(values), ...);
        return *this;
    }
    Statement* operator->() const { return statement_; }

  private:
    friend class Database;
    explicit Query(Statement& statement) : statement_(&statement) {}
    Statement* statement_;
};

// Rolls back unless commit() was reached.
class Transaction {
  public:
    // A reader sees the file as it was at its first statement; a writer is the only one at a time, from the start: turning a
    // reader into a writer can fail when another process wrote in between.
    enum class Kind : std::uint8_t { read, write };
    static Result<Transaction> begin(Database& database, Kind kind = Kind::write);
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    Result<void> commit();

  private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace plimsoll::sqlite
