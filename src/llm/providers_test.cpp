#include "llm/providers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "base/files.h"
#include "llm/openai_embedding.h"
#include "llm/remote_settings.h"
#include "llm/scripted_server_test.h"

namespace plimsoll::llm {
namespace {

using testing::json_reply;
using testing::ScriptedServer;

const std::string kAnswer = R"({"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]})";

// Sets an environment variable, or unsets it for null, while it lives.
class Variable {
  public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) before_ = before;
        set(value);
    }
    ~Variable() { set(before_ ? before_->c_str() : nullptr); }

  private:
    void set(const char* value) { value ? ::setenv(name_, value, 1) : ::unsetenv(name_); }
    const char* name_;
    std::optional<std::string> before_;
};

asio::awaitable<void> ask(ChatModel& model, Result<ChatResult>& out) {
    out = co_await model.chat({}, {.messages = {{"user", "hi"}}, .stream = false});
}

class ProvidersTest : public ::testing::Test {
  protected:
    ErrorCode chat_error(const std::string& type, const json::object& settings) {
        const auto made = make_chat_model("main", type, settings, locals_);
        EXPECT_FALSE(made.has_value());
        return made ? ErrorCode::internal : made.error().code;
    }

    // The request a model of these settings makes.
    net::ServerRequest request_of(const std::string& type, json::object settings, bool base_url_in_settings = true) {
        ScriptedServer server(pool_, {json_reply(kAnswer)});
        std::optional<Variable> variable;
        if (base_url_in_settings)
            settings["base_url"] = server.base_url();
        else
            variable.emplace("OPENAI_BASE_URL", server.base_url().c_str());
        const auto model = make_chat_model("main", type, settings, locals_);
        EXPECT_TRUE(model.has_value()) << model.error().message;
        Result<ChatResult> out = fail(ErrorCode::internal, "not asked");
        pool_.run([&] { return ask(**model, out); });
        EXPECT_TRUE(out.has_value()) << out.error().message;
        return server.requests().at(0);
    }

    TemporaryFolder folder_;
    LocalServers locals_{folder_.path()};
    net::IoPool pool_{1, 1};
    Variable openai_key_{"OPENAI_API_KEY", nullptr};
    Variable openai_url_{"OPENAI_BASE_URL", nullptr};
    Variable nvidia_key_{"NVIDIA_API_KEY", nullptr};
};

TEST(LlmCatalogue, NamesEveryTypeAndMarksSecrets) {
    std::vector<std::string> types;
    for (const auto& info : llm_catalogue()) {
        types.push_back(info.section + "." + info.type);
        for (const auto& field : info.fields) {
            EXPECT_FALSE(field.doc.empty()) << field.name;
            EXPECT_EQ(field.secret, field.name == "api_key") << field.name;
        }
    }
    EXPECT_EQ(types,
              (std::vector<std::string>{"llms.openai", "llms.nim", "llms.local", "embedders.openai", "embedders.nim", "embedders.local"}));
}

TEST(LlmCatalogue, DefaultsAreNats) {
    for (const auto& info : llm_catalogue()) {
        if (info.section != "llms" || info.type != "nim") continue;
        for (const auto& field : info.fields) {
            if (field.name == "max_tokens") EXPECT_EQ(field.default_value, json::value(300));
            if (field.name == "num_retries") EXPECT_EQ(field.default_value, json::value(5));
            if (field.name == "temperature") EXPECT_TRUE(field.default_value.is_null());
            if (field.name == "model_name") EXPECT_TRUE(field.required);
        }
    }
}

TEST_F(ProvidersTest, PassesSettingsOnToTheServer) {
    const auto request =
        request_of("openai", {{"model", "gpt"}, {"temperature", 0.25}, {"seed", 7}, {"verbosity", "low"}, {"api_key", "k1\n"}});
    EXPECT_EQ(request.path, "/v1/chat/completions");
    EXPECT_EQ(*net::find_header(request.headers, "Authorization"), "Bearer k1");
    const auto body = parse_json(request.body).value();
    EXPECT_EQ(get_string(body, "model"), "gpt");
    EXPECT_EQ(get_number(body, "temperature"), 0.25);
    EXPECT_EQ(get_int(body, "seed"), 7);
    EXPECT_EQ(get_string(body, "verbosity"), "low");
    EXPECT_EQ(body.as_object().size(), 6u);  // and messages, stream: nothing that only this program understands
}

TEST_F(ProvidersTest, NimHasAnAnswerLimit) {
    const auto body = parse_json(request_of("nim", {{"model_name", "meta/llama"}}).body).value();
    EXPECT_EQ(get_int(body, "max_tokens"), 300);
}

TEST_F(ProvidersTest, TakesKeyAndAddressFromTheEnvironment) {
    const Variable key("OPENAI_API_KEY", "from-env");
    EXPECT_EQ(*net::find_header(request_of("openai", {{"model_name", "m"}}, false).headers, "Authorization"), "Bearer from-env");
    EXPECT_EQ(*net::find_header(request_of("openai", {{"model_name", "m"}, {"api_key", "own"}}).headers, "Authorization"), "Bearer own");
    EXPECT_EQ(net::find_header(request_of("nim", {{"model_name", "m"}}).headers, "Authorization"), nullptr);
}

TEST_F(ProvidersTest, ThinkingIsALineForNemotronOnly) {
    const auto line = [this](const char* model, bool thinking) {
        const auto body = parse_json(request_of("nim", {{"model_name", model}, {"thinking", thinking}}).body).value();
        return get_string(find(body, "messages")->at(0), "content").value_or("");
    };
    EXPECT_EQ(line("nvidia/llama-3.1-nemotron-ultra-253b-v1", false), "detailed thinking off");
    EXPECT_EQ(line("nvidia/llama-3.3-nemotron-super-49b-v1.5", true), "/think");
    EXPECT_EQ(line("nvidia/NVIDIA-Nemotron-Nano-9B-v2", false), "/no_think");
    EXPECT_EQ(chat_error("nim", {{"model_name", "meta/llama-3.3-70b-instruct"}, {"thinking", true}}), ErrorCode::config);
}

TEST_F(ProvidersTest, RefusesWrongSettings) {
    EXPECT_EQ(chat_error("openai", {}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"top_p", 1.5}}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"num_retries", 0}}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"request_timeout", 0}}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"retry_on_status_codes", json::array{"6xx"}}}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"api_key", "a\nX-Other: b"}}), ErrorCode::config);
    EXPECT_EQ(chat_error("openai", {{"model_name", "m"}, {"api_type", "responses"}}), ErrorCode::unsupported);
    EXPECT_EQ(chat_error("litellm", {{"model_name", "m"}}), ErrorCode::config);
    EXPECT_EQ(make_embedding_model("e", "huggingface", {}, locals_).error().code, ErrorCode::config);
    EXPECT_EQ(make_embedding_model("e", "nim", {{"model_name", "m"}, {"truncate", "MIDDLE"}}, locals_).error().code, ErrorCode::config);
}

TEST_F(ProvidersTest, LocalSaysWhereItsModelsShouldBe) {
    const Variable models("PLIMSOLL_MODELS", folder_.path().c_str());
    EXPECT_EQ(chat_error("local", {}), ErrorCode::not_found);
    EXPECT_EQ(make_embedding_model("e", "local", {}, locals_).error().code, ErrorCode::not_found);
}

asio::awaitable<void> ask_local(ChatModel& chat, EmbeddingModel& embedder, Result<ChatResult>& answer,
                                Result<std::vector<std::vector<float>>>& vectors) {
    ChatRequest request;
    request.messages = {{"user", "Name a colour."}};
    request.max_tokens = 24;
    request.json_schema =
        parse_json(R"({"type":"object","properties":{"colour":{"type":"string","maxLength":12}},"required":["colour"]})").value();
    request.extra = {{"repeat_penalty", 1.1}};
    answer = co_await chat.chat({}, std::move(request), {});
    vectors = co_await embedder.embed({}, {"a ship at sea", "a boat on the ocean", "tax law"});
}

double dot(const std::vector<float>& a, const std::vector<float>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

// With the real models, when they are set up.
TEST_F(ProvidersTest, LocalModelsAnswer) {
    const auto checkout = std::filesystem::path(PLIMSOLL_SOURCE_DIR) / ".models";
    std::optional<Variable> models;
    if (!find_models_folder()) models.emplace("PLIMSOLL_MODELS", checkout.c_str());
    if (!find_models_folder()) {
        const char* required = std::getenv("PLIMSOLL_REQUIRE_MODELS");
        ASSERT_FALSE(required && std::string_view(required) == "1") << find_models_folder().error().message;
        GTEST_SKIP() << "no local models";
    }
    const auto chat = make_chat_model("main", "local", {{"slots", 1}, {"context_per_slot", 512}}, locals_);
    ASSERT_TRUE(chat) << chat.error().message;
    const auto embedder = make_embedding_model("e", "local", {{"slots", 1}}, locals_);
    ASSERT_TRUE(embedder) << embedder.error().message;
    Result<ChatResult> answer = fail(ErrorCode::internal, "not asked");
    Result<std::vector<std::vector<float>>> vectors = fail(ErrorCode::internal, "not asked");
    pool_.run([&] { return ask_local(**chat, **embedder, answer, vectors); });
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(parse_json(answer->content)) << answer->content;
    EXPECT_FALSE(answer->usage_estimated);
    EXPECT_GT(answer->usage.prompt_tokens, 0);
    ASSERT_TRUE(vectors) << vectors.error().message;
    ASSERT_EQ(vectors->size(), 3u);
    EXPECT_NEAR(dot((*vectors)[0], (*vectors)[0]), 1, 1e-5);
    EXPECT_GT(dot((*vectors)[0], (*vectors)[1]), dot((*vectors)[0], (*vectors)[2]));
}

TEST(RemoteSettings, RetriesAreAttemptsInAll) {
    RemoteSettings settings;
    const RemoteDefaults defaults{"http://h/v1", "PLIMSOLL_TEST_NO_SUCH_KEY", nullptr};
    EXPECT_EQ(make_endpoint(settings, defaults)->retry.attempts, 5);
    settings.do_auto_retry = false;
    EXPECT_EQ(make_endpoint(settings, defaults)->retry.attempts, 1);
}

TEST(RemoteSettings, EndlessTimeoutIsADay) {
    EXPECT_EQ(to_timeout(0.5).count(), 500);
    EXPECT_EQ(to_timeout(1e300), std::chrono::hours(24));
}

TEST(RemoteSettings, StatusPatternsMeanStatuses) {
    EXPECT_EQ(parse_status_patterns(json::array{429, "503"}).value(), (std::set<int>{429, 503}));
    EXPECT_EQ(parse_status_patterns(json::array{"50x"}).value().size(), 10u);
    EXPECT_EQ(parse_status_patterns(json::array{"4xx", "5*"}).value().size(), 200u);
    EXPECT_TRUE(parse_status_patterns(nullptr).value().empty());
    for (const json::value& wrong : {json::value("429"), json::value(json::array{"teapot"}), json::value(json::array{42}),
                                     json::value(json::array{""}), json::value(json::array{-1})})
        EXPECT_EQ(parse_status_patterns(wrong).error().code, ErrorCode::config);
}

}  // namespace
}  // namespace plimsoll::llm
