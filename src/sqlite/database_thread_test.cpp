#include "sqlite/database_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <string>

#include "base/files.h"

namespace plimsoll::sqlite {
namespace {

class DatabaseThreadTest : public testing::Test {
  protected:
    Database open() {
        auto database = Database::open(folder_.path() / "t.db");
        EXPECT_TRUE(database.has_value());
        EXPECT_TRUE(database->run("PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (n INTEGER)").has_value());
        return std::move(*database);
    }
    std::int64_t rows() { return *open().integer("SELECT count(*) FROM t"); }

    TemporaryFolder folder_;
};

Result<void> insert(Database& database, std::int64_t n) {
    auto statement = database.query("INSERT INTO t VALUES (?)");
    if (!statement) return fail(std::move(statement).error());
    return statement->bind(n)->run();
}

// Inserts rows `first` … `last`; those that 7 divides fail after their insert.
asio::awaitable<void> insert_each(DatabaseThread& thread, std::int64_t first, std::int64_t last, int& failures) {
    for (std::int64_t n = first; n <= last; ++n) {
        const Result<std::int64_t> result = co_await thread.run([n](Database& database) -> Result<std::int64_t> {
            PLIMSOLL_TRY(insert(database, n));
            if (n % 7 == 0) return fail(ErrorCode::limit, "seven");
            return n;
        });
        if (result)
            EXPECT_EQ(*result, n);
        else
            EXPECT_EQ(result.error().code, ErrorCode::limit);
        failures += result ? 0 : 1;
    }
}

asio::awaitable<void> insert_one(DatabaseThread& thread, bool& answered) {
    const Result<void> result = co_await thread.run([](Database& database) { return insert(database, 1); });
    EXPECT_TRUE(result.has_value());
    answered = true;
}

// Holds the thread until opened.
struct Block {
    std::mutex mutex;
    std::condition_variable changed;
    bool entered = false;
    bool open = false;

    Result<void> wait() {
        std::unique_lock lock(mutex);
        entered = true;
        changed.notify_all();
        changed.wait(lock, [this] { return open; });
        return {};
    }
    void wait_entered() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return entered; });
    }
    void release() {
        const std::lock_guard lock(mutex);
        open = true;
        changed.notify_all();
    }
};

asio::awaitable<void> hold(DatabaseThread& thread, Block& block) {
    const Result<void> result = co_await thread.run([&block](Database&) { return block.wait(); });
    EXPECT_TRUE(result.has_value());
}

TEST_F(DatabaseThreadTest, calls_from_many_threads_are_all_carried_out_and_failures_undone_alone) {
    asio::thread_pool pool(2);
    DatabaseThread thread(open(), DatabaseThread::Mode::write, 8);
    int failures[4] = {};
    for (int i = 0; i < 4; ++i)
        asio::co_spawn(asio::make_strand(pool), insert_each(thread, i * 50 + 1, i * 50 + 50, failures[i]),
                       [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
    pool.join();
    EXPECT_EQ(failures[0] + failures[1] + failures[2] + failures[3], 200 / 7);
    EXPECT_EQ(rows(), 200 - 200 / 7);
}

TEST_F(DatabaseThreadTest, calls_that_wait_share_transactions_of_at_most_a_batch) {
    DatabaseThread thread(open(), DatabaseThread::Mode::write, 10);
    asio::io_context loop;
    Block block;
    asio::co_spawn(loop, hold(thread, block), asio::detached);
    loop.poll();
    block.wait_entered();
    bool answered[25] = {};
    for (bool& flag : answered) asio::co_spawn(loop, insert_one(thread, flag), asio::detached);
    loop.poll();
    EXPECT_EQ(thread.waiting(), 25u);
    block.release();
    loop.run();
    EXPECT_THAT(answered, testing::Each(true));
    EXPECT_EQ(thread.transactions(), 1u + 3u);
    EXPECT_EQ(rows(), 25);
}

TEST_F(DatabaseThreadTest, a_cancelled_caller_does_not_lose_the_write) {
    DatabaseThread thread(open(), DatabaseThread::Mode::write);
    asio::io_context loop;
    Block block;
    asio::co_spawn(loop, hold(thread, block), asio::detached);
    asio::cancellation_signal signal;
    bool answered = false;
    asio::co_spawn(loop, insert_one(thread, answered), asio::bind_cancellation_slot(signal.slot(), asio::detached));
    loop.poll();
    block.wait_entered();
    signal.emit(asio::cancellation_type::terminal);
    loop.poll();
    EXPECT_FALSE(answered);
    block.release();
    loop.run();
    EXPECT_TRUE(answered);
    EXPECT_EQ(rows(), 1);
}

TEST_F(DatabaseThreadTest, destruction_carries_out_what_waits) {
    asio::io_context loop;
    Block block;
    bool answered[3] = {};
    {
        DatabaseThread thread(open(), DatabaseThread::Mode::write, 1);
        asio::co_spawn(loop, hold(thread, block), asio::detached);
        for (bool& flag : answered) asio::co_spawn(loop, insert_one(thread, flag), asio::detached);
        loop.poll();
        block.release();
    }
    loop.run();
    EXPECT_THAT(answered, testing::Each(true));
    EXPECT_EQ(rows(), 3);
}

TEST_F(DatabaseThreadTest, a_reader_cannot_write) {
    Database database = open();
    ASSERT_TRUE(database.run("PRAGMA query_only = 1").has_value());
    DatabaseThread thread(std::move(database), DatabaseThread::Mode::read);
    asio::io_context loop;
    std::optional<ErrorCode> code;
    asio::co_spawn(loop, thread.run([](Database& writer) { return insert(writer, 1); }),
                   [&](std::exception_ptr, const Result<void>& result) {
                       if (!result) code = result.error().code;
                   });
    loop.run();
    EXPECT_EQ(code, ErrorCode::io);
    EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace plimsoll::sqlite
