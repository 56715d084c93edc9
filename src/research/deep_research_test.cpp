// The whole agent against the simulated model over real sockets: what it does when its model does not answer.
#include "research/deep_research.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "base/files.h"
#include "config/config.h"
#include "event/span.h"
#include "llm/providers.h"
#include "llm/sim_server.h"

namespace plimsoll::research {
namespace {

namespace asio = boost::asio;

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kQueues =
    "# Queues\n\n## Little's law\n\nThe mean number of users in a system is the arrival rate times the mean time they stay. "
    "A server at 90 percent utilisation makes its users wait nine service times on average.\n";
constexpr const char* kBatches =
    "# Batches\n\n## Continuous batching\n\nContinuous batching lets a request join the batch between two steps of the model. "
    "A batch of 16 sequences gives 12 times the throughput of a single one.\n";

struct Answered {
    Result<json::value> report = fail(ErrorCode::internal, "did not run");
    std::vector<json::value> stream;
    std::vector<event::Step> steps;
};

class DeepResearchTest : public testing::Test {
  protected:
    // `faults` as for `plimsoll sim serve --fault`.
    Answered answer(const std::string& faults, const std::string& question = "How long do users wait in a batch?") {
        llm::SimOptions options;
        options.ttft = options.itl = std::chrono::microseconds(0);
        options.tokens = 24;
        options.fault_rates = llm::parse_sim_fault_rates(faults).value();
        llm::SimServer chat(pool_.at(0).get_executor(), options);
        options.fault_rates = {};
        llm::SimServer embeddings(pool_.at(0).get_executor(), options);
        EXPECT_TRUE(chat.listen());
        EXPECT_TRUE(embeddings.listen());
        auto chat_ended = asio::co_spawn(pool_.at(0), chat.run(), asio::use_future);
        auto embeddings_ended = asio::co_spawn(pool_.at(0), embeddings.run(), asio::use_future);
        Answered answered = ask(chat.base_url(), embeddings.base_url(), question);
        asio::post(pool_.at(0), [&] {
            chat.stop();
            embeddings.stop();
        });
        chat_ended.get();
        embeddings_ended.get();
        return answered;
    }

  private:
    Answered ask(const std::string& chat_url, const std::string& embeddings_url, const std::string& question) {
        EXPECT_TRUE(save_file(folder_.path() / "docs/queues.md", kQueues));
        EXPECT_TRUE(save_file(folder_.path() / "docs/batches.md", kBatches));
        EXPECT_TRUE(
            save_file(folder_.path() / "eval.yml",
                      fmt::format("llms:\n  writer: {{_type: openai, model_name: sim, base_url: {}, num_retries: 1}}\n"
                                  "embedders:\n  small: {{_type: openai, model_name: sim, base_url: {}}}\n"
                                  "workflow:\n  _type: deep_research\n  llm_name: writer\n  embedder_name: small\n  documents: {}\n"
                                  "  collection: {}\n  num_queries: 2\n  plan_timeout: 0.3\n  write_timeout: 0.3\n",
                                  chat_url, embeddings_url, (folder_.path() / "docs").string(), (folder_.path() / "docs.db").string())));
        Catalogue catalogue = llm::llm_catalogue();
        for (const auto& type : function_types()) catalogue.push_back(type.info);
        const config::Loaded loaded = config::load(folder_.path() / "eval.yml", catalogue);
        for (const auto& problem : loaded.problems) ADD_FAILURE() << problem.text();
        functions::Builder builder(loaded.config, function_types(), pool_, folder_.path());
        Answered answered;
        auto workflow = builder.workflow();
        if (!workflow) {
            ADD_FAILURE() << workflow.error().message;
            return answered;
        }
        auto session = event::Session::make({}, {}, system_clock(), 1);
        session->set_stream_writer([&](const json::value& event) { answered.stream.push_back(event); });
        pool_.run([&] { return run(session, **workflow, json::value(question), answered.report); });
        answered.steps = session->take_steps();
        return answered;
    }

    static asio::awaitable<void> run(std::shared_ptr<event::Session> session, functions::Function& workflow, json::value question,
                                     Result<json::value>& report) {
        report = co_await functions::run_session(std::move(session), "deep_research", workflow, std::move(question), {});
    }

    TemporaryFolder folder_;
    net::IoPool pool_{1};
};

bool has_warning(const json::value& event) { return find(event, "warning") != nullptr; }

TEST_F(DeepResearchTest, CitesWhatItRetrieved) {
    const Answered answered = answer("");
    ASSERT_TRUE(answered.report) << answered.report.error().message;
    EXPECT_THAT(std::string(answered.report->as_string()),
                AllOf(HasSubstr("> \""), HasSubstr("[1]"), HasSubstr("## Sources"), HasSubstr(".md, p. 1"), Not(HasSubstr("Note:"))));
    std::size_t open = 0;
    for (const event::Span& span : event::pair_spans(answered.steps).spans) open += span.finished ? 0 : 1;
    EXPECT_EQ(open, 0u);
}

TEST_F(DeepResearchTest, AnswersAQuestionOfCommonWordsAlone) {
    const Answered answered = answer("", "Who are you?");
    ASSERT_TRUE(answered.report) << answered.report.error().message;
    EXPECT_THAT(std::string(answered.report->as_string()), HasSubstr("[1]"));
    EXPECT_EQ(answer("", " ?! ").report.error().code, ErrorCode::invalid_argument);
}

// A model that never answers costs the plan and the written parts, not the session: the plan is empty and says so on the stream,
// and the report quotes what the documents hold.
TEST_F(DeepResearchTest, HangingModelDegradesTheReport) {
    const Answered answered = answer("hang=1");
    ASSERT_TRUE(answered.report) << answered.report.error().message;
    EXPECT_THAT(std::string(answered.report->as_string()), AllOf(HasSubstr("> \""), HasSubstr("Note: planning failed (timeout)")));
    const auto warning = std::ranges::find_if(answered.stream, has_warning);
    ASSERT_NE(warning, answered.stream.end());
    EXPECT_TRUE(warning->at("queries").as_array().empty());
}

TEST_F(DeepResearchTest, FailingAndGarbledModelsDegradeTheReport) {
    for (const char* fault : {"500=1", "garbage=1", "cut=1", "html=1"}) {
        const Answered answered = answer(fault);
        ASSERT_TRUE(answered.report) << fault << ": " << answered.report.error().message;
        EXPECT_THAT(std::string(answered.report->as_string()), AllOf(HasSubstr("> \""), HasSubstr("Note: "))) << fault;
        EXPECT_TRUE(std::ranges::any_of(answered.stream, has_warning)) << fault;
    }
}

}  // namespace
}  // namespace plimsoll::research
