#include "record/write_behind.h"

#include <gtest/gtest.h>

#include <future>

namespace plimsoll::record {
namespace {

constexpr WriteBehind::Limits kRoomy{1 << 20, 1 << 20};

// A disk that stalls until it is let go.
struct Disk {
    std::string text;
    int syncs = 0;
    std::promise<void> entered;
    std::shared_future<void> gate;
    bool first = true;
    Result<void> result;

    Result<void> write(std::string_view batch, bool sync) {
        if (std::exchange(first, false)) {
            entered.set_value();
            if (gate.valid()) gate.wait();
        }
        if (!result) return result;
        text += batch;
        syncs += sync;
        return {};
    }
    WriteBehind::Write writer() {
        return [this](std::string_view batch, bool sync) { return write(batch, sync); };
    }
};

TEST(WriteBehind, KeepsTheOrderAndWritesAllAtClose) {
    Disk disk;
    WriteBehind queue(disk.writer(), kRoomy, nullptr);
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        queue.push(std::to_string(i) + "\n", WriteBehind::Kind::required);
        expected += std::to_string(i) + "\n";
    }
    EXPECT_TRUE(queue.close());
    EXPECT_EQ(disk.text, expected);
    EXPECT_EQ(queue.dropped(), 0u);
    EXPECT_TRUE(queue.close());
}

TEST(WriteBehind, OneSyncServesAllWhoWait) {
    Disk disk;
    std::promise<void> let_go;
    disk.gate = let_go.get_future();
    WriteBehind queue(disk.writer(), kRoomy, nullptr);
    std::promise<void> first;
    queue.push_synced("a", [&](Result<void> result) {
        EXPECT_TRUE(result);
        first.set_value();
    });
    disk.entered.get_future().wait();
    int answered = 0;
    std::promise<void> all;
    for (int i = 0; i < 10; ++i)
        queue.push_synced("b", [&](Result<void> result) {
            EXPECT_TRUE(result);
            EXPECT_EQ(disk.text, "abbbbbbbbbb");
            if (++answered == 10) all.set_value();
        });
    let_go.set_value();
    first.get_future().wait();
    all.get_future().wait();
    EXPECT_EQ(disk.syncs, 2);
}

TEST(WriteBehind, DropsChunksAboveTheSoftBoundAndKeepsTheRest) {
    Disk disk;
    std::promise<void> let_go;
    disk.gate = let_go.get_future();
    WriteBehind queue(disk.writer(), {10, 1 << 20}, nullptr);
    queue.push_synced("0", [](Result<void>) {});
    disk.entered.get_future().wait();
    queue.push("aaaaaaaa", WriteBehind::Kind::droppable);
    queue.push("bbbb", WriteBehind::Kind::droppable);
    queue.push("CCCCCCCC", WriteBehind::Kind::required);
    queue.push("d", WriteBehind::Kind::droppable);
    let_go.set_value();
    EXPECT_TRUE(queue.close());
    EXPECT_EQ(disk.text, "0aaaaaaaaCCCCCCCC");
    EXPECT_EQ(queue.dropped(), 2u);
}

TEST(WriteBehind, TheHardBoundIsAFailureReportedOnce) {
    Disk disk;
    std::promise<void> let_go;
    disk.gate = let_go.get_future();
    int reports = 0;
    std::promise<void> reported;
    WriteBehind queue(disk.writer(), {10, 10}, [&](const Error& error) {
        EXPECT_EQ(error.code, ErrorCode::limit);
        ++reports;
        reported.set_value();
    });
    queue.push_synced("0", [](Result<void>) {});
    disk.entered.get_future().wait();
    queue.push("aaaaaaaa", WriteBehind::Kind::required);
    queue.push("bbbbbbbb", WriteBehind::Kind::required);
    let_go.set_value();
    reported.get_future().wait();
    ErrorCode seen{};
    std::promise<void> answered;
    queue.push_synced("x", [&](Result<void> result) {
        seen = result ? ErrorCode::internal : result.error().code;
        answered.set_value();
    });
    answered.get_future().wait();
    EXPECT_EQ(seen, ErrorCode::limit);
    EXPECT_FALSE(queue.close());
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(queue.dropped(), 3u);
}

TEST(WriteBehind, AFailedWriteIsFinal) {
    Disk disk;
    disk.result = fail(ErrorCode::no_space, "full");
    int reports = 0;
    WriteBehind queue(disk.writer(), kRoomy, [&](const Error&) { ++reports; });
    std::promise<ErrorCode> seen;
    queue.push_synced("a", [&](Result<void> result) { seen.set_value(result.error().code); });
    EXPECT_EQ(seen.get_future().get(), ErrorCode::no_space);
    queue.push("b", WriteBehind::Kind::required);
    EXPECT_EQ(queue.status().error().code, ErrorCode::no_space);
    EXPECT_EQ(queue.close().error().code, ErrorCode::no_space);
    EXPECT_EQ(reports, 1);
    EXPECT_EQ(queue.dropped(), 2u);
    EXPECT_EQ(disk.text, "");
}

TEST(WriteBehind, AClosedQueueAnswersAtOnce) {
    Disk disk;
    WriteBehind queue(disk.writer(), kRoomy, nullptr);
    EXPECT_TRUE(queue.close());
    ErrorCode seen{};
    queue.push_synced("a", [&](Result<void> result) { seen = result.error().code; });
    EXPECT_EQ(seen, ErrorCode::cancelled);
    queue.push("b", WriteBehind::Kind::droppable);
    EXPECT_EQ(queue.dropped(), 2u);
}

}  // namespace
}  // namespace plimsoll::record
