#include "net/io_pool.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <latch>
#include <set>

namespace plimsoll::net {
namespace {

using std::chrono::steady_clock;

asio::awaitable<void> note_thread(std::thread::id& id) {
    id = std::this_thread::get_id();
    co_return;
}

asio::awaitable<void> throw_it() {
    throw std::runtime_error("boom");
    co_return;
}

asio::awaitable<void> race(std::size_t& winner) {
    using namespace asio::experimental::awaitable_operators;
    const auto first = co_await (sleep_for(steady_clock::duration::max()) || sleep_for(std::chrono::milliseconds(1)));
    winner = first.index();
}

TEST(IoPool, RunsOnItsOwnThreadAndWaits) {
    IoPool pool;
    std::thread::id id = std::this_thread::get_id();
    pool.run([&] { return note_thread(id); });
    EXPECT_NE(id, std::this_thread::get_id());
}

TEST(IoPool, RethrowsWhatTheCoroutineThrew) {
    IoPool pool;
    EXPECT_THROW(pool.run([] { return throw_it(); }), std::runtime_error);
    std::thread::id id;
    pool.run([&] { return note_thread(id); });  // and goes on working
}

TEST(IoPool, NextGoesRound) {
    IoPool pool(3);
    std::set<asio::io_context*> seen;
    for (int i = 0; i < 3; ++i) seen.insert(&pool.next());
    EXPECT_EQ(seen.size(), 3u);
    EXPECT_EQ(pool.size(), 3u);
    EXPECT_TRUE(seen.contains(&pool.next()));
}

TEST(IoPool, ComputeRunsElsewhere) {
    IoPool pool(1, 1);
    std::latch done(1);
    std::thread::id compute;
    asio::post(pool.compute(), [&] {
        compute = std::this_thread::get_id();
        done.count_down();
    });
    done.wait();
    std::thread::id io;
    pool.run([&] { return note_thread(io); });
    EXPECT_NE(compute, io);
    EXPECT_NE(compute, std::this_thread::get_id());
}

TEST(IoPool, StopAbandonsWhatWaits) {
    IoPool pool(2);
    asio::co_spawn(pool.at(1), sleep_for(std::chrono::hours(1)), asio::detached);
    pool.stop();
    pool.stop();
}

TEST(IoPool, SleepIntoThePastReturnsAndForeverCanBeCancelled) {
    IoPool pool;
    pool.run([] { return sleep_until(steady_clock::now() - std::chrono::hours(1)); });
    pool.run([] { return sleep_for(std::chrono::milliseconds(-5)); });
    std::size_t winner = 0;
    pool.run([&] { return race(winner); });
    EXPECT_EQ(winner, 1u);
}

}  // namespace
}  // namespace plimsoll::net
