#include "record/event_log.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>

#include "base/files.h"
#include "record/event_log_writer.h"

namespace plimsoll::record {
namespace {

const EventLogHeader kHeader{"run-1", "cfg", "data", 18446744073709551615u, 12.5};

std::shared_ptr<event::Session> make_session(std::int64_t number, event::StepSink* sink) {
    return event::Session::make({.number = number}, {sink}, [] { return 1.5; }, 7);
}

void end_session(EventLogWriter& log, std::int64_t number, SessionEnd end) {
    asio::io_context context;
    auto result = asio::co_spawn(context, log.end(number, std::move(end)), asio::use_future);
    context.run();
    ASSERT_TRUE(result.get());
}

void record_one(EventLogWriter& log, std::int64_t number, std::optional<Error> error = {}) {
    log.begin(number, number);
    auto session = make_session(number, &log);
    event::ScopedSpan call(session->root(), event::Category::llm, "m", "question");
    call.chunk("to\nken");
    call.end();
    end_session(log, number, {"answer", std::move(error), 1, 2, 3});
}

class EventLogTest : public testing::Test {
  protected:
    std::unique_ptr<EventLogWriter> open() {
        auto log = EventLogWriter::open(path_, kHeader, nullptr);
        EXPECT_TRUE(log);
        return std::move(*log);
    }
    EventLogContents load() { return *load_event_log(path_); }
    void append(std::string_view text) { std::ofstream(path_, std::ios::app | std::ios::binary) << text; }

    TemporaryFolder folder_;
    std::filesystem::path path_ = folder_.path() / "events.jsonl";
};

TEST_F(EventLogTest, GivesBackWhatWasRecorded) {
    auto log = open();
    record_one(*log, 0);
    record_one(*log, 1, Error{ErrorCode::http_status, "busy", 503});
    log->begin(2, "two");
    ASSERT_TRUE(log->close());
    const EventLogContents contents = load();
    ASSERT_TRUE(contents.header);
    EXPECT_EQ(contents.header->run_id, "run-1");
    EXPECT_EQ(contents.header->config_hash, "cfg");
    EXPECT_EQ(contents.header->dataset_hash, "data");
    EXPECT_EQ(contents.header->seed, 18446744073709551615u);
    EXPECT_EQ(contents.header->started, 12.5);
    ASSERT_EQ(contents.sessions.size(), 3u);
    const LoggedSession& first = contents.sessions.at(0);
    ASSERT_EQ(first.steps.size(), 3u);
    EXPECT_EQ(first.steps[1].payload.data->chunk, json::value("to\nken"));
    EXPECT_EQ(first.end->output, json::value("answer"));
    EXPECT_FALSE(first.end->error);
    EXPECT_EQ(first.end->intended_start, 1);
    EXPECT_EQ(first.end->start, 2);
    EXPECT_EQ(first.end->end, 3);
    EXPECT_EQ(contents.sessions.at(1).end->error->code, ErrorCode::http_status);
    EXPECT_EQ(contents.sessions.at(1).end->error->http_status, 503);
    EXPECT_EQ(contents.sessions.at(2).item, json::value("two"));
    EXPECT_FALSE(contents.sessions.at(2).end);
    EXPECT_EQ(contents.corrupt_lines, 0u);
    EXPECT_FALSE(contents.truncated);
}

TEST_F(EventLogTest, AnEndIsOnTheDiskBeforeItCounts) {
    auto log = open();
    record_one(*log, 0);
    EXPECT_TRUE(load().sessions.at(0).end);  // the writer is still open
}

TEST_F(EventLogTest, ToleratesACutLastLineAndGoesOnAfterIt) {
    {
        record_one(*open(), 0);
    }
    append(R"({"t":"begin","session":1,"it)");
    EXPECT_TRUE(load().truncated);
    EXPECT_EQ(load().corrupt_lines, 0u);
    {
        record_one(*open(), 1);
    }
    const EventLogContents contents = load();
    EXPECT_FALSE(contents.truncated);
    EXPECT_EQ(contents.corrupt_lines, 1u);
    EXPECT_TRUE(contents.sessions.at(0).end);
    EXPECT_TRUE(contents.sessions.at(1).end);
}

TEST_F(EventLogTest, AWholeLastLineNeedsNoEnd) {
    {
        record_one(*open(), 0);
    }
    std::string text = *load_file(path_);
    ASSERT_EQ(text.back(), '\n');
    text.pop_back();
    const auto contents = parse_event_log(text);
    ASSERT_TRUE(contents);
    EXPECT_TRUE(contents->sessions.at(0).end);
    EXPECT_FALSE(contents->truncated);
}

TEST_F(EventLogTest, DamagedLinesAreNumbered) {
    std::string text = "{\"t\":\"run\",\"version\":1,\"seed\":\"1\"}\n";
    for (int i = 0; i < 5; ++i) text += "damage\n{\"t\":\"begin\",\"session\":" + std::to_string(i) + "}\n";
    const auto contents = parse_event_log(text);
    ASSERT_TRUE(contents);
    EXPECT_EQ(contents->corrupt_lines, 5u);
    EXPECT_EQ(contents->first_corrupt_lines, (std::vector<std::size_t>{2, 4, 6}));
}

TEST_F(EventLogTest, EveryCutLoads) {
    {
        record_one(*open(), 0);
    }
    const std::string text = *load_file(path_);
    for (std::size_t size = 0; size + 1 < text.size(); ++size) {
        const auto contents = parse_event_log(std::string_view(text).substr(0, size));
        ASSERT_TRUE(contents);
        EXPECT_EQ(contents->corrupt_lines, 0u);
        EXPECT_EQ(contents->truncated, size > 0 && text[size - 1] != '\n' && text[size] != '\n');
        EXPECT_FALSE(contents->sessions.contains(0) && contents->sessions.at(0).end);
    }
}

TEST_F(EventLogTest, SkipsAndCountsDamage) {
    {
        record_one(*open(), 0);
    }
    append(
        "garbage\n{}\n[1]\n\n{\"t\":\"step\",\"session\":9,\"step\":{}}\n{\"t\":\"end\",\"session\":0,\"ok\":true}\n{\"t\":\"run\","
        "\"seed\":\"x\"}\n");
    append("{\"t\":\"of a later version\"}\n");
    append(std::string(100'000, '[') + "\n");
    const EventLogContents contents = load();
    EXPECT_EQ(contents.corrupt_lines, 7u);
    EXPECT_EQ(contents.sessions.size(), 1u);
}

TEST_F(EventLogTest, ARestartedSessionForgetsItsFirstTry) {
    {
        auto log = open();
        log->begin(0, 0);
        event::ScopedSpan lost(make_session(0, log.get())->root(), event::Category::tool, "lost", {});
    }
    {
        record_one(*open(), 0);
    }
    EXPECT_EQ(load().sessions.at(0).steps.size(), 3u);
}

TEST_F(EventLogTest, AResumedRunAbandonsWhatWasInFlight) {
    {
        open()->begin(0, 0);
    }
    {
        open();
    }
    EXPECT_TRUE(load().sessions.empty());
}

TEST_F(EventLogTest, RefusesANewerVersion) {
    append("{\"t\":\"run\",\"version\":2}\n");
    EXPECT_EQ(load_event_log(path_).error().code, ErrorCode::unsupported);
    EXPECT_EQ(load_event_log(folder_.path() / "none").error().code, ErrorCode::not_found);
}

TEST_F(EventLogTest, AFullDiskIsSeenWhenTheLogIsOpened) {
    const auto log = EventLogWriter::open("/dev/full", kHeader, nullptr);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, ErrorCode::no_space);
}

}  // namespace
}  // namespace plimsoll::record
