#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/files.h"
#include "config/config.h"
#include "config/test_catalogue.h"

namespace plimsoll::config {
namespace {

using testing::HasSubstr;
using testing::Not;

// The tree that the written YAML loads as.
json::object reload(const std::string& yaml) {
    TemporaryFolder folder;
    EXPECT_TRUE(save_file(folder.path() / "e.yml", yaml));
    LoadOptions options;
    options.getenv = [](const std::string&) -> const char* { return "expanded"; };
    const auto loaded = load(folder.path() / "e.yml", {}, options);
    for (const auto& problem : loaded.problems) EXPECT_EQ(problem.severity, Problem::Severity::warning) << problem.text() << "\n" << yaml;
    return loaded.config.root;
}

TEST(EffectiveYaml, LoadsAgainAsTheSameTree) {
    const std::vector<std::string> texts = {"",
                                            " ",
                                            "plain",
                                            "two words",
                                            "true",
                                            "null",
                                            "~",
                                            "yes",
                                            "n",
                                            "12",
                                            "1.5",
                                            "0x1f",
                                            "1e3",
                                            "2024-01-01",
                                            "1:30",
                                            "-",
                                            "- a",
                                            "a: b",
                                            "a #b",
                                            "# a",
                                            "a:",
                                            ":a",
                                            "{a}",
                                            "[a]",
                                            "'a'",
                                            "\"a\"",
                                            "&a",
                                            "*a",
                                            "!a",
                                            "%a",
                                            "@a",
                                            "`a",
                                            "|",
                                            ">",
                                            "?",
                                            "http://h:8000/v1?x=1",
                                            "a\nb",
                                            "a\nb\n",
                                            "a\nb\n\n",
                                            "\na",
                                            " a\nb",
                                            "a \nb",
                                            "a\n  b\nc",
                                            "a\tb\nc",
                                            "a\r\nb",
                                            "a\n\nb",
                                            "é😀\nü",
                                            "${A}",
                                            "\\${A}",
                                            "x\n${A}\n",
                                            "\x01\x7f",
                                            "---",
                                            "...",
                                            "a: b\n---\nc",
                                            "nat.llm/openai",
                                            "<<",
                                            "=",
                                            "a  b",
                                            "a ",
                                            "C:\\x",
                                            "<think>",
                                            "\xc2\x85",
                                            "\xe2\x80\xa8x"};
    json::object root;
    json::array list;
    for (const auto& text : texts) {
        root[text.contains("${") ? "k" + text : text] = json::value(json::string(text));
        list.emplace_back(json::string(text));
    }
    root["<<"] = json::object{{"x", 1}};
    root["list"] = list;
    root["nested"] = {
        {"empty_map", json::object{}}, {"empty_list", json::array{}}, {"lists", {{1, 2}, json::array{}, {{"a", {1, {{"b", nullptr}}}}}}}};
    root["numbers"] = {0, -1, 1.0, 0.1, 1e-7, 1e22, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<double>::infinity()};
    root["scalars"] = {true, false, nullptr};
    Config config;
    config.root = root;
    const std::string yaml = to_effective_yaml(config, {});
    EXPECT_EQ(to_compact_json(reload(yaml)), to_compact_json(root)) << yaml;
    config.root = {};
    EXPECT_TRUE(reload(to_effective_yaml(config, {})).empty());
}

TEST(EffectiveYaml, IsForReading) {
    Config config;
    config.root = {{"llms", {{"main", {{"_type", "nim"}, {"base_url", "http://localhost:8000/v1"}, {"temperature", 0.5}}}}},
                   {"workflow", {{"prompt", "line one\nline two\n"}, {"tools", {"a", "b c"}}}}};
    EXPECT_EQ(to_effective_yaml(config, {}),
              "llms:\n  main:\n    _type: nim\n    base_url: http://localhost:8000/v1\n    temperature: 0.5\n"
              "workflow:\n  prompt: |\n    line one\n    line two\n  tools:\n    - a\n    - b c\n");
}

TEST(EffectiveYaml, MasksSecretsAndNothingElse) {
    Catalogue catalogue = test_catalogue();
    catalogue.push_back(
        {.section = "llms", .type = "vault", .fields = {{.name = "pin", .type = FieldType::any, .aliases = {"p"}, .secret = true}}});
    Config config;
    config.root = {{"llms",
                    {{"a", {{"_type", "vault"}, {"p", "hidden1"}}},
                     {"b", {{"_type", "vault"}, {"pin", {{"x", "hidden2"}, {"y", {"hidden3"}}}}}},
                     {"c", {{"_type", "nim"}, {"api_key", "hidden4"}, {"max_tokens", 7}, {"headers", {{"Authorization", "hidden5"}}}}},
                     {"d", {{"_type", "nobody"}, {"password", 123456}, {"pin", "shown1"}}}}},
                   {"eval",
                    {{"general",
                      {{"profiler", {{"token_uniqueness_forecast", true}, {"token_increment", 1024}}},
                       {"output", {{"s3", {{"secret_key", "hidden6"}}}}}}}}},
                   {"api_key", nullptr}};
    const std::string yaml = to_effective_yaml(config, catalogue);
    EXPECT_THAT(yaml, Not(HasSubstr("hidden")));
    EXPECT_THAT(yaml, Not(HasSubstr("123456")));
    for (const char* text :
         {"shown1", "max_tokens: 7", "token_uniqueness_forecast: true", "token_increment: 1024", "api_key: null", "api_key: \"***\""})
        EXPECT_THAT(yaml, HasSubstr(text));
    EXPECT_EQ(config.root.at("llms").at("a").at("p"), json::value("hidden1"));
}

TEST(EffectiveYaml, MasksPasswordsInUrls) {
    Config config;
    config.root = {{"llms", {{"a", {{"base_url", "http://user:hidden@host/v1"}}}}}, {"eval", {{"urls", {"https://hidden@x", "http://y"}}}}};
    const std::string yaml = to_effective_yaml(config, {});
    EXPECT_THAT(yaml, AllOf(Not(HasSubstr("hidden")), HasSubstr("http://***@host/v1"), HasSubstr("http://y")));
}

TEST(EffectiveYaml, OverridesAreShownAsTheTreeIs) {
    Config config;
    config.root = {
        {"llms",
         {{"a", {{"_type", "nim"}, {"api_key", "hidden"}, {"keys", {"x"}}, {"secrets", {"hidden", "hidden"}}, {"base_url", "http://h"}}}}}};
    const std::vector<Override> given = {{"llms.a.api_key", "hidden"},
                                         {"llms.a.base_url", "http://u:hidden@h"},
                                         {"llms.a.secrets", "hidden,hidden"},
                                         {"llms.a.keys", "x"},
                                         {"gone.b", "y"}};
    std::vector<std::string> shown;
    for (const Override& override : masked_overrides(given, config, test_catalogue())) shown.push_back(override.value);
    EXPECT_THAT(shown, testing::ElementsAre("***", "http://***@h", "***", "x", "y"));
}

TEST(EffectiveYaml, OfARealConfigLoadsWithoutProblems) {
    for (const char* name : {"article_eval.yml", "cases/nat_full.yml"}) {
        const auto loaded = load(std::filesystem::path(PLIMSOLL_SOURCE_DIR) / "tests/data/config" / name, test_catalogue());
        ASSERT_TRUE(loaded.ok());
        TemporaryFolder folder;
        ASSERT_TRUE(save_file(folder.path() / "e.yml", to_effective_yaml(loaded.config, test_catalogue())));
        const auto again = load(folder.path() / "e.yml", test_catalogue());
        EXPECT_TRUE(again.problems.empty());
        EXPECT_EQ(again.config.root, loaded.config.root);
        EXPECT_EQ(again.config.eval_general, loaded.config.eval_general);
    }
}

}  // namespace
}  // namespace plimsoll::config
