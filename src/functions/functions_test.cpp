#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "event/span.h"
#include "functions/current_datetime.h"
#include "functions/function.h"

namespace plimsoll::functions {
namespace {

using testing::HasSubstr;

class Scripted : public Function {
  public:
    enum class Outcome : std::uint8_t { value, error, exception };
    explicit Scripted(Outcome outcome) : outcome_(outcome) {}

    asio::awaitable<Result<json::value>> invoke(event::Context context, json::value input) override {
        event::ScopedSpan inner(context, event::Category::tool, "inner", input);
        if (outcome_ == Outcome::error) co_return fail(ErrorCode::http_status, "503");
        if (outcome_ == Outcome::exception) throw std::runtime_error("broken");
        inner.end();
        co_return json::value("done");
    }

  private:
    Outcome outcome_;
};

struct Ran {
    Result<json::value> result = fail(ErrorCode::internal, "did not run");
    event::SpanList spans;
};

asio::awaitable<void> run_into(std::shared_ptr<event::Session> session, Function& function, Result<json::value>& result) {
    result = co_await run_session(std::move(session), "scripted", function, "question", {});
}

Ran run(Scripted::Outcome outcome) {
    net::IoPool pool(1);
    Scripted function(outcome);
    auto session = event::Session::make({}, {}, system_clock(), 1);
    Ran ran;
    pool.run([&] { return run_into(session, function, ran.result); });
    ran.spans = event::pair_spans(session->steps());
    return ran;
}

TEST(RunSession, NestsWorkflowFunctionAndWhatTheyCall) {
    const Ran ran = run(Scripted::Outcome::value);
    ASSERT_TRUE(ran.result);
    ASSERT_EQ(ran.spans.spans.size(), 3u);
    const auto& [workflow, function, tool] = std::tie(ran.spans.spans[0], ran.spans.spans[1], ran.spans.spans[2]);
    EXPECT_EQ(workflow.name, "scripted");
    EXPECT_EQ(workflow.parent_id, "root");
    EXPECT_EQ(function.name, "<workflow>");
    EXPECT_EQ(function.parent_id, workflow.uuid);
    EXPECT_EQ(tool.parent_id, function.uuid);
    EXPECT_EQ(tool.function.function_name, "<workflow>");
}

TEST(RunSession, FailuresAndExceptionsCloseEverySpanWithTheirError) {
    for (const auto& [outcome, code] :
         {std::pair(Scripted::Outcome::error, ErrorCode::http_status), std::pair(Scripted::Outcome::exception, ErrorCode::internal)}) {
        const Ran ran = run(outcome);
        ASSERT_FALSE(ran.result);
        EXPECT_EQ(ran.result.error().code, code);
        for (const event::Span& span : ran.spans.spans) {
            EXPECT_TRUE(span.finished) << span.name;
            EXPECT_TRUE(span.error) << span.name;
        }
        EXPECT_EQ(ran.spans.spans[0].error->code, code);
    }
}

TEST(CurrentDatetime, TellsTheTimeOfTheAskedZone) {
    EXPECT_EQ(describe_time(1795388151, "UTC"), "The current time of day is 2026-11-22 22:55:51 +0000");
    EXPECT_EQ(describe_time(1795388151, "../../etc/passwd"), describe_time(1795388151, "UTC"));
    EXPECT_EQ(describe_time(1795388151, "No/Such_Zone"), describe_time(1795388151, "UTC"));
}

TEST(Builder, NamesWhatIsMissing) {
    TemporaryFolder folder;
    net::IoPool pool(1);
    config::Config config;
    Builder builder(config, function_types(), pool, folder.path());
    EXPECT_EQ(builder.workflow().error().code, ErrorCode::config);
    EXPECT_EQ(builder.llm("gone").error().code, ErrorCode::not_found);
    EXPECT_THAT(builder.llm("gone").error().message, HasSubstr("llms.gone"));
    config.workflow = {.section = "workflow", .name = "<workflow>", .type = "chat_completion", .settings = {{"llm_name", "gone"}}};
    EXPECT_EQ(builder.workflow().error().code, ErrorCode::not_found);
    config.workflow.type = "no_such_type";
    EXPECT_EQ(builder.workflow().error().code, ErrorCode::config);
}

}  // namespace
}  // namespace plimsoll::functions
