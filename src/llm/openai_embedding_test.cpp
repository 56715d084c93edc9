#include "llm/openai_embedding.h"

#include <gtest/gtest.h>

#include "event/span.h"
#include "llm/scripted_server_test.h"

namespace plimsoll::llm {
namespace {

using namespace std::chrono_literals;
using testing::json_reply;
using testing::Reply;
using testing::ScriptedServer;

using Vectors = std::vector<std::vector<float>>;

std::string embeddings(const std::vector<std::pair<int, std::vector<float>>>& vectors) {
    json::array data;
    for (const auto& [index, vector] : vectors) data.push_back({{"index", index}, {"embedding", json::value_from(vector)}});
    return to_compact_json(json::value{{"data", data}});
}

asio::awaitable<void> ask(OpenAiEmbedding& model, event::Context context, std::vector<std::string> texts, Result<Vectors>& out) {
    out = co_await model.embed(std::move(context), std::move(texts));
}

class OpenAiEmbeddingTest : public ::testing::Test {
  protected:
    ~OpenAiEmbeddingTest() override { server_.reset(); }

    Result<Vectors> embed(std::vector<Reply> script, std::vector<std::string> texts) {
        server_ = std::make_unique<ScriptedServer>(pool_, std::move(script));
        Endpoint endpoint{
            .base_url = [this] { return server_->base_url(); }, .api_key = "sk-secret", .retry = {.attempts = 2, .initial = 1ms}};
        OpenAiEmbedding model("main", endpoint, {.model = "e-1", .batch_size = 2, .extra = {{"truncate", "END"}}});
        auto session = event::Session::make({}, {}, system_clock(), 1);
        Result<Vectors> out = fail(ErrorCode::internal, "not asked");
        pool_.run([&] { return ask(model, session->root(), std::move(texts), out); });
        steps_ = session->take_steps();
        return out;
    }

    net::IoPool pool_{1, 1};
    std::unique_ptr<ScriptedServer> server_;
    std::vector<event::Step> steps_;
};

TEST_F(OpenAiEmbeddingTest, AsksInBatchesAndKeepsTheOrder) {
    const auto out = embed({json_reply(embeddings({{1, {0, 2}}, {0, {3, 4}}})), json_reply(embeddings({{0, {-5, 0}}}))}, {"a", "b", "c"});
    ASSERT_TRUE(out) << out.error().message;
    ASSERT_EQ(out->size(), 3u);
    EXPECT_FLOAT_EQ((*out)[0][0], 0.6f);
    EXPECT_FLOAT_EQ((*out)[0][1], 0.8f);
    EXPECT_FLOAT_EQ((*out)[1][1], 1);
    EXPECT_FLOAT_EQ((*out)[2][0], -1);
    ASSERT_EQ(server_->requests().size(), 2u);
    EXPECT_EQ(to_compact_json(server_->body(0)), R"({"truncate":"END","model":"e-1","input":["a","b"]})");
    EXPECT_EQ(to_compact_json(*find(server_->body(1), "input")), R"(["c"])");
    EXPECT_EQ(server_->requests()[0].path, "/v1/embeddings");
}

TEST_F(OpenAiEmbeddingTest, RecordsOneToolSpanWithoutTheTexts) {
    ASSERT_TRUE(embed({json_reply(embeddings({{0, {1, 0}}}))}, {"private text"}));
    ASSERT_EQ(steps_.size(), 2u);
    EXPECT_EQ(to_string(steps_[0].payload.event_type), "TOOL_START");
    EXPECT_EQ(steps_[0].payload.name, "embed");
    EXPECT_EQ(get_int(steps_[0].payload.data->input, "texts"), 1);
    EXPECT_EQ(get_int(steps_[1].payload.data->output, "dimensions"), 2);
    EXPECT_FALSE(event::step_error(steps_[1]).has_value());
    for (const auto& step : steps_) EXPECT_EQ(to_compact_json(to_json(step)).find("private"), std::string::npos);
}

TEST_F(OpenAiEmbeddingTest, NoTextsNoRequest) {
    const auto out = embed({json_reply("{}")}, {});
    ASSERT_TRUE(out);
    EXPECT_TRUE(out->empty());
    EXPECT_TRUE(server_->requests().empty());
}

TEST_F(OpenAiEmbeddingTest, RetriesABatch) {
    const auto out = embed({json_reply("busy", 503), json_reply(embeddings({{0, {1}}}))}, {"a"});
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(get_int(steps_.back().payload.metadata, "retries"), 1);
}

TEST_F(OpenAiEmbeddingTest, FailureOfOneBatchFailsTheCall) {
    const auto out =
        embed({json_reply(embeddings({{0, {1}}, {1, {1}}})), json_reply(R"({"error":{"message":"too long"}})", 400)}, {"a", "b", "c"});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::http_status);
    EXPECT_EQ(out.error().http_status, 400);
    EXPECT_EQ(event::step_error(steps_.back())->code, ErrorCode::http_status);
}

TEST_F(OpenAiEmbeddingTest, BatchesOfUnequalDimensionsAreABadResponse) {
    const auto out = embed({json_reply(embeddings({{0, {1}}, {1, {1}}})), json_reply(embeddings({{0, {1, 2}}}))}, {"a", "b", "c"});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::bad_response);
}

TEST(ParseEmbeddings, RefusesWhatDoesNotFit) {
    for (const std::string& body :
         {std::string(""), std::string("<html>"), std::string("[]"), std::string("{}"), std::string(R"({"data":[]})"),
          embeddings({{0, {1}}}), embeddings({{0, {1}}, {0, {2}}}), embeddings({{0, {1}}, {2, {2}}}), embeddings({{0, {1}}, {-1, {2}}}),
          embeddings({{0, {1}}, {1, {2, 3}}}), embeddings({{0, {}}, {1, {}}}),
          std::string(R"({"data":[{"index":0,"embedding":["a"]},{"index":1,"embedding":[1]}]})"),
          std::string(R"({"data":[{"index":0,"embedding":[1e300]},{"index":1,"embedding":[1]}]})"),
          std::string(R"({"data":[{"index":0},{"index":1}]})"), std::string(R"({"data":[1,2]})")}) {
        const auto out = parse_embeddings(body, 2);
        ASSERT_FALSE(out) << body;
        EXPECT_EQ(out.error().code, ErrorCode::bad_response) << body;
    }
}

TEST(ParseEmbeddings, ZeroVectorStaysZero) {
    const auto out = parse_embeddings(embeddings({{0, {0, 0}}}), 1);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->front(), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace plimsoll::llm
