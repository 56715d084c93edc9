// What SqliteSaver promises beyond the suite of saver_conformance.h: its file.
#include "graph/sqlite_saver.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <fstream>

#include "graph/saver_conformance.h"

namespace plimsoll::graph {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class SqliteSaverTest : public testing::Test {
  protected:
    std::shared_ptr<SqliteSaver> open(SqliteSaver::Options options = {}) {
        auto saver = SqliteSaver::open(file_, options);
        EXPECT_TRUE(saver.has_value()) << (saver ? "" : saver.error().message);
        return saver ? *saver : nullptr;
    }
    ErrorCode open_error() {
        const auto saver = SqliteSaver::open(file_);
        EXPECT_FALSE(saver.has_value());
        return saver ? ErrorCode::internal : saver.error().code;
    }

    TemporaryFolder folder_;
    std::filesystem::path file_ = folder_.path() / "state.db";
};

Result<void> put(SqliteSaver& saver, const CheckpointKey& key, const Checkpoint& checkpoint) {
    std::vector<std::string> changed;
    for (const auto& [name, value] : checkpoint.values) changed.push_back(name);
    return run_on_loop(saver.put(key, checkpoint, {}, changed));
}

std::int64_t query(const std::filesystem::path& file, const char* sql) {
    auto database = sqlite::Database::open(file);
    EXPECT_TRUE(database.has_value());
    const auto number = database->integer(sql);
    EXPECT_TRUE(number.has_value());
    return number.value_or(-1);
}

void change(const std::filesystem::path& file, const char* sql) {
    auto database = sqlite::Database::open(file);
    ASSERT_TRUE(database.has_value());
    ASSERT_TRUE(database->run(sql).has_value());
}

TEST_F(SqliteSaverTest, reopened_file_has_everything) {
    const Checkpoint checkpoint = checkpoint_of({{"a", "1"}, {"b", "[2]"}});
    {
        const auto saver = open();
        ASSERT_TRUE(put(*saver, {"t", "", ""}, checkpoint).has_value());
        ASSERT_TRUE(run_on_loop(saver->put_writes({"t", "", checkpoint.id}, "task", one_write("ch", "3"))).has_value());
    }
    const auto saver = open();
    const auto stored = run_on_loop(saver->get({"t", "", ""}));
    ASSERT_TRUE(stored.has_value() && stored->has_value());
    EXPECT_EQ((*stored)->checkpoint.id, checkpoint.id);
    EXPECT_THAT(texts((*stored)->checkpoint), ElementsAre("a=1", "b=[2]"));
    EXPECT_THAT(texts((*stored)->writes), ElementsAre("ch=3"));
}

TEST_F(SqliteSaverTest, only_what_changed_is_written) {
    const auto saver = open();
    Checkpoint checkpoint = checkpoint_of({{"big", std::string(1000, 'x')}, {"n", "0"}});
    ASSERT_TRUE(put(*saver, {"t", "", ""}, checkpoint).has_value());
    for (Version step = 2; step <= 10; ++step) {
        const std::string parent = std::exchange(checkpoint.id, make_checkpoint_id());
        checkpoint.values["n"] = blob(std::to_string(step));
        checkpoint.versions["n"] = step;
        ASSERT_TRUE(run_on_loop(saver->put({"t", "", parent}, checkpoint, {}, {"n"})).has_value());
    }
    EXPECT_EQ(query(file_, "SELECT count(*) FROM channel_values WHERE channel = 'big'"), 1);
    EXPECT_EQ(query(file_, "SELECT count(*) FROM channel_values WHERE channel = 'n'"), 10);
    ASSERT_TRUE(run_on_loop(saver->prune({"t"}, Keep::latest)).has_value());
    EXPECT_EQ(query(file_, "SELECT count(*) FROM channel_values"), 2);
    ASSERT_TRUE(run_on_loop(saver->delete_thread("t")).has_value());
    EXPECT_EQ(query(file_, "SELECT count(*) FROM channel_values"), 0);
}

TEST_F(SqliteSaverTest, refuses_files_that_are_not_its_own) {
    std::ofstream(file_) << std::string(5000, 'x');
    EXPECT_EQ(open_error(), ErrorCode::parse);
    file_ = folder_.path() / "other.db";
    change(file_, "CREATE TABLE chunks (id INTEGER); PRAGMA user_version = 1");
    EXPECT_EQ(open_error(), ErrorCode::parse);
    file_ = folder_.path();
    EXPECT_EQ(open_error(), ErrorCode::io);
    file_ = folder_.path() / "missing" / "state.db";
    EXPECT_EQ(open_error(), ErrorCode::io);
}

TEST_F(SqliteSaverTest, refuses_a_newer_schema_and_leaves_it_alone) {
    open();
    change(file_, "PRAGMA user_version = 99");
    EXPECT_EQ(open_error(), ErrorCode::unsupported);
    EXPECT_EQ(query(file_, "PRAGMA user_version"), 99);
}

TEST_F(SqliteSaverTest, damaged_rows_are_parse_errors_and_cost_only_their_thread) {
    const auto saver = open();
    for (const char* thread : {"packed", "origins", "lost", "good"})
        ASSERT_TRUE(put(*saver, {thread, "", ""}, checkpoint_of({{"a", "1"}})).has_value());
    change(file_, "UPDATE checkpoints SET packed = x'01ff' WHERE thread = 'packed'");
    change(file_, "UPDATE checkpoints SET origins = x'00' WHERE thread = 'origins'");
    change(file_, "DELETE FROM channel_values WHERE thread = 'lost'");
    for (const char* thread : {"packed", "origins", "lost"}) {
        const auto stored = run_on_loop(saver->get({thread, "", ""}));
        ASSERT_FALSE(stored.has_value()) << thread;
        EXPECT_EQ(stored.error().code, ErrorCode::parse);
        EXPECT_EQ(run_on_loop(saver->list(thread, {})).error().code, ErrorCode::parse);
    }
    EXPECT_TRUE(run_on_loop(saver->get({"good", "", ""})).value().has_value());
    EXPECT_TRUE(run_on_loop(saver->delete_thread("packed")).has_value());
}

TEST_F(SqliteSaverTest, overwritten_pages_are_an_error_not_a_crash) {
    {
        const auto saver = open();
        for (int i = 0; i < 50; ++i) ASSERT_TRUE(put(*saver, {"t", "", ""}, checkpoint_of({{"a", std::string(500, 'x')}})).has_value());
    }
    {
        std::fstream damage(file_, std::ios::in | std::ios::out | std::ios::binary);
        damage.seekp(4096);  // the first page holds the schema; all others are garbage now
        const std::string garbage(std::filesystem::file_size(file_) - 4096, '\x5a');
        damage << garbage;
    }
    const auto saver = open();
    EXPECT_EQ(run_on_loop(saver->list("t", {})).error().code, ErrorCode::parse);
    EXPECT_EQ(put(*saver, {"t", "", ""}, checkpoint_of({{"a", "1"}})).error().code, ErrorCode::parse);
}

// A crash can leave the end of the log torn: what was committed before is there, the torn transaction is not.
TEST_F(SqliteSaverTest, torn_end_of_the_log_loses_only_the_torn_put) {
    const auto saver = open();
    const std::filesystem::path copy = folder_.path() / "copy.db";
    ASSERT_TRUE(put(*saver, {"t", "", ""}, checkpoint_of({{"a", "1"}})).has_value());
    const auto wal_bytes = std::filesystem::file_size(file_.string() + "-wal");
    ASSERT_TRUE(put(*saver, {"t", "", ""}, checkpoint_of({{"a", "2"}})).has_value());
    const auto wal_end = std::filesystem::file_size(file_.string() + "-wal");
    ASSERT_GT(wal_end, wal_bytes);
    for (const std::uintmax_t size : {wal_bytes, wal_bytes + 1, (wal_bytes + wal_end) / 2, wal_end - 1, wal_end}) {
        std::filesystem::copy_file(file_, copy, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::copy_file(file_.string() + "-wal", copy.string() + "-wal", std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(copy.string() + "-wal", size);
        const auto torn = SqliteSaver::open(copy);
        ASSERT_TRUE(torn.has_value());
        const auto all = run_on_loop((*torn)->list("t", {}));
        ASSERT_TRUE(all.has_value());
        ASSERT_THAT(*all, SizeIs(size == wal_end ? 2 : 1));
        EXPECT_THAT(texts(all->back().checkpoint), ElementsAre("a=1"));
    }
}

// Puts until the disk is full, then frees some space and puts again. Returns what went wrong, 0 = nothing.
int fill_the_disk(const std::filesystem::path& file) {
    constexpr rlim_t kBytes = 1 << 20;
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{kBytes, kBytes * 2};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const auto saver = SqliteSaver::open(file);
    if (!saver) return 2;
    int stored = 0;
    Result<void> result;
    while (stored < 1000 && (result = put(**saver, {"t", "", ""}, checkpoint_of({{"a", std::string(20'000, 'x')}})))) ++stored;
    if (result || result.error().code != ErrorCode::no_space) return 3;
    const auto all = run_on_loop((*saver)->list("t", {}));
    if (!all || all->size() != static_cast<std::size_t>(stored) || stored == 0) return 4;
    const rlimit more{kBytes * 2, kBytes * 2};
    if (::setrlimit(RLIMIT_FSIZE, &more) != 0) return 5;
    if (!put(**saver, {"t", "", ""}, checkpoint_of({{"a", "1"}}))) return 6;
    const auto after = run_on_loop((*saver)->list("t", {}));
    return after && after->size() == all->size() + 1 ? 0 : 7;
}

TEST_F(SqliteSaverTest, full_disk_is_no_space_and_costs_only_the_put_that_met_it) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(fill_the_disk(file_));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

asio::awaitable<void> put_steps(std::shared_ptr<CheckpointSaver> saver, std::string thread, int steps) {
    CheckpointKey key{thread, "", ""};
    for (int step = 0; step < steps; ++step) {
        const Checkpoint checkpoint = checkpoint_of({{"a", std::to_string(step)}});
        const auto stored = co_await saver->put(key, checkpoint, metadata_of(step), {"a"});
        EXPECT_TRUE(stored.has_value());
        key.id = checkpoint.id;
        const auto latest = co_await saver->get({thread, "", ""});
        EXPECT_TRUE(latest.has_value() && latest->has_value() && (*latest)->checkpoint.id == checkpoint.id);
    }
}

void put_steps_on_two_threads(const std::vector<std::shared_ptr<CheckpointSaver>>& savers, int threads, int steps) {
    asio::thread_pool pool(2);
    for (int i = 0; i < threads; ++i)
        asio::co_spawn(asio::make_strand(pool), put_steps(savers[static_cast<std::size_t>(i) % savers.size()], std::to_string(i), steps),
                       [](std::exception_ptr thrown) { EXPECT_FALSE(thrown); });
    pool.join();
    for (int i = 0; i < threads; ++i) EXPECT_THAT(run_on_loop(savers[0]->list(std::to_string(i), {})).value(), SizeIs(steps)) << i;
}

TEST(MemorySaverThreads, concurrent_puts_from_two_threads) { put_steps_on_two_threads({std::make_shared<MemorySaver>()}, 8, 50); }

TEST_F(SqliteSaverTest, concurrent_puts_from_two_threads) { put_steps_on_two_threads({open()}, 8, 10); }

// What two processes do, in one: each saver has connections of its own.
TEST_F(SqliteSaverTest, two_savers_share_a_file) { put_steps_on_two_threads({open(), open()}, 6, 8); }

TEST_F(SqliteSaverTest, more_sessions_than_a_batch_wait_and_share_syncs) {
    constexpr int kSessions = 300;
    SqliteSaver::Options options;
    options.max_batch = 50;
    const auto saver = open(options);
    sqlite::Database blocker = sqlite::Database::open(file_).value();
    asio::io_context loop;
    {
        auto held = sqlite::Transaction::begin(blocker);
        ASSERT_TRUE(held.has_value());
        for (int i = 0; i < kSessions; ++i) asio::co_spawn(loop, put_steps(saver, std::to_string(i), 1), asio::detached);
        loop.poll();
        EXPECT_GE(saver->waiting_writes(), static_cast<std::size_t>(kSessions) - options.max_batch);
    }
    loop.run();
    EXPECT_EQ(saver->waiting_writes(), 0u);
    EXPECT_LE(saver->transactions(), 1u + kSessions / options.max_batch);
    EXPECT_EQ(query(file_, "SELECT count(*) FROM checkpoints"), kSessions);
}

TEST_F(SqliteSaverTest, another_process_that_holds_the_file_too_long_is_in_use) {
    SqliteSaver::Options options;
    options.busy_wait = std::chrono::milliseconds(1);
    const auto saver = open(options);
    sqlite::Database blocker = sqlite::Database::open(file_).value();
    {
        auto held = sqlite::Transaction::begin(blocker);
        ASSERT_TRUE(held.has_value());
        EXPECT_EQ(put(*saver, {"t", "", ""}, checkpoint_of()).error().code, ErrorCode::in_use);
        EXPECT_FALSE(run_on_loop(saver->get({"t", "", ""})).value().has_value());  // readers are not held up
    }
    EXPECT_TRUE(put(*saver, {"t", "", ""}, checkpoint_of()).has_value());
}

}  // namespace
}  // namespace plimsoll::graph
