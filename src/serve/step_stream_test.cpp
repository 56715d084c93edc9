#include "serve/step_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

namespace plimsoll::serve {
namespace {

using testing::HasSubstr;

event::Step make_step(event::Category category, event::Phase phase, std::string text = "") {
    event::Step step;
    step.payload.event_type = {category, phase};
    step.payload.uuid = "id";
    step.payload.data = event::StepData{.chunk = json::value(std::move(text))};
    return step;
}

asio::awaitable<void> drain(StepStream& stream, std::vector<std::string>& records) {
    while (auto record = co_await stream.next()) records.push_back(std::move(*record));
}

class StepStreamTest : public testing::Test {
  protected:
    std::vector<std::string> drained(StepStream& stream) {
        std::vector<std::string> records;
        asio::co_spawn(io, drain(stream, records), asio::detached);
        io.restart();
        io.run();
        return records;
    }
    asio::io_context io;
    std::shared_ptr<event::Session> session = event::Session::make({}, {}, system_clock(), 1);
};

TEST_F(StepStreamTest, CarriesNatsRecords) {
    StepStream stream(io.get_executor(), std::nullopt);
    stream.on_step(*session, make_step(event::Category::llm, event::Phase::end));
    stream.close();
    const auto records = drained(stream);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_THAT(records[0], testing::StartsWith("intermediate_data: {\"id\":\"id\",\"parent_id\":\"root\",\"type\":\"LLM_END\""));
    EXPECT_THAT(records[0], testing::EndsWith("\n\n"));
}

TEST_F(StepStreamTest, FiltersByType) {
    EXPECT_FALSE(parse_step_filter(""));
    EXPECT_TRUE(parse_step_filter("none")->empty());
    StepStream stream(io.get_executor(), parse_step_filter("LLM_END,TOOL_END"));
    for (const auto phase : {event::Phase::start, event::Phase::end}) stream.on_step(*session, make_step(event::Category::tool, phase));
    stream.close();
    const auto records = drained(stream);
    ASSERT_EQ(records.size(), 1u);
    EXPECT_THAT(records[0], HasSubstr("TOOL_END"));
}

TEST_F(StepStreamTest, ASlowReaderLosesChunksOnly) {
    StepStream stream(io.get_executor(), std::nullopt);
    const std::string large(1 << 20, 'x');
    for (int i = 0; i < 20; ++i) stream.on_step(*session, make_step(event::Category::llm, event::Phase::chunk, large));
    stream.on_step(*session, make_step(event::Category::llm, event::Phase::end));
    stream.close();
    EXPECT_GT(stream.dropped_chunks(), 0u);
    const auto records = drained(stream);
    EXPECT_EQ(records.size() + stream.dropped_chunks(), 21u);
    EXPECT_THAT(records.back(), HasSubstr("LLM_END"));
}

TEST_F(StepStreamTest, WaitsForTheNextRecord) {
    StepStream stream(io.get_executor(), std::nullopt);
    std::vector<std::string> records;
    asio::co_spawn(io, drain(stream, records), asio::detached);
    io.poll();
    EXPECT_TRUE(records.empty());
    stream.on_step(*session, make_step(event::Category::tool, event::Phase::start));
    io.poll();
    EXPECT_EQ(records.size(), 1u);
    stream.close();
    io.run();
}

}  // namespace
}  // namespace plimsoll::serve
