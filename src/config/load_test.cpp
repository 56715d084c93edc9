#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <tuple>

#include "base/files.h"
#include "config/config.h"
#include "config/sections.h"
#include "config/test_catalogue.h"

namespace plimsoll::config {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Severity = Problem::Severity;

const fs::path kData = fs::path(PLIMSOLL_SOURCE_DIR) / "tests/data/config";

LoadOptions with_environment(std::map<std::string, std::string> variables = {}) {
    LoadOptions options;
    options.getenv = [variables = std::move(variables)](const std::string& name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    };
    return options;
}

Loaded load_text(const TemporaryFolder& folder, std::string_view text, const LoadOptions& options = with_environment()) {
    const auto file = folder.path() / "c.yml";
    EXPECT_TRUE(save_file(file, text));
    return load(file, test_catalogue(), options);
}

std::string all_text(const Loaded& loaded) {
    std::string out;
    for (const auto& problem : loaded.problems) out += problem.text() + "\n";
    return out;
}

// (line, "error" or "warning", path), in file order.
using Expected = std::tuple<int, std::string, std::string>;

// A case says what is wrong with a line in a comment at its end: `#! error llms.main.temperature`.
std::vector<Expected> expected_problems(const std::string& text) {
    constexpr std::string_view kMarker = "#! ";
    std::vector<Expected> expected;
    std::istringstream lines(text);
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number)
        for (auto at = line.find(kMarker); at != std::string::npos; at = line.find(kMarker, at + 1)) {
            std::istringstream words(line.substr(at + kMarker.size()));
            std::string severity, path;
            words >> severity >> path;
            expected.emplace_back(number, severity, path);
        }
    return expected;
}

std::vector<Expected> actual_problems(const Loaded& loaded, const fs::path& file) {
    std::vector<Expected> actual;
    for (const auto& problem : loaded.problems) {
        EXPECT_THAT(problem.place, testing::StartsWith(file.string() + ":"));
        const int line = std::atoi(problem.place.c_str() + file.string().size() + 1);
        actual.emplace_back(line, problem.severity == Severity::error ? "error" : "warning", problem.path);
    }
    return actual;
}

TEST(Load, Cases) {
    int cases = 0;
    for (const auto& entry : fs::directory_iterator(kData / "cases")) {
        const auto text = load_file(entry.path());
        ASSERT_TRUE(text);
        const auto loaded = load(entry.path(), test_catalogue(), with_environment());
        EXPECT_THAT(actual_problems(loaded, entry.path()), testing::UnorderedElementsAreArray(expected_problems(*text)))
            << entry.path() << "\n"
            << all_text(loaded);
        EXPECT_TRUE(std::ranges::is_sorted(actual_problems(loaded, entry.path()), {}, [](const Expected& e) { return std::get<0>(e); }));
        ++cases;
    }
    EXPECT_GE(cases, 15);
}

TEST(Load, StrictMakesUnknownKeysErrors) {
    auto options = with_environment();
    options.strict = true;
    const auto loaded = load(kData / "cases/typos.yml", test_catalogue(), options);
    EXPECT_TRUE(std::ranges::all_of(loaded.problems, [](const Problem& p) { return p.severity == Severity::error; })) << all_text(loaded);
}

TEST(Load, SuggestsWhatWasMeant) {
    const auto text = all_text(load(kData / "cases/typos.yml", test_catalogue(), with_environment()));
    for (const char* word :
         {"\"llms\"", "\"telemetry\"", "\"temperature\"", "\"nim\"", "\"main\"", "\"general\"", "\"max_concurrency\"", "\"json\""})
        EXPECT_THAT(text, HasSubstr(word));
    EXPECT_THAT(all_text(load(kData / "cases/nat_unknown_type.yml", test_catalogue(), with_environment())),
                HasSubstr("local, nim, openai"));
}

TEST(Load, FillsTheTypedParts) {
    const auto loaded = load(kData / "cases/nat_full.yml", test_catalogue(), with_environment());
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    const Config& config = loaded.config;
    const Component& main = config.llms.at("main");
    EXPECT_EQ(main.type, "openai");
    EXPECT_EQ(main.settings.at("model_name"), json::value("gpt"));  // by its alias
    EXPECT_TRUE(main.settings.contains("chat_template_kwargs"));
    EXPECT_FALSE(main.settings.contains("optimizable_params"));
    EXPECT_EQ(config.llms.at("second").type, "nim");
    EXPECT_FALSE(config.llms.at("second").settings.contains("type"));
    EXPECT_EQ(config.root.at("llms").at("main").at("_type"), json::value("nat.llm/openai"));
    EXPECT_EQ(config.embedders.size(), 1u);
    EXPECT_EQ(config.functions.size(), 2u);
    EXPECT_EQ(config.workflow.type, "deep_research");
    EXPECT_EQ(config.workflow.name, "<workflow>");
    EXPECT_EQ(config.tracing.at("otel").section, "general.telemetry.tracing");
    EXPECT_EQ(config.evaluators.at("latency").type, "avg_llm_latency");
    EXPECT_EQ(config.eval_general.at("max_concurrency"), json::value(4));
    EXPECT_EQ(config.eval_general.at("output_dir"), json::value("out"));
    EXPECT_EQ(config.eval_general.at("dataset").at("_type"), json::value("json"));
    EXPECT_EQ(config.eval_general.at("profiler").at("base_metrics"), json::value(true));
    EXPECT_EQ(config.components().size(), 9u);
}

TEST(Load, PublishedEvalSectionLoadsAsItStands) {
    const auto loaded = load(kData / "article_eval.yml", test_catalogue(), with_environment());
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    const auto& general = loaded.config.eval_general;
    EXPECT_EQ(general.at("output_dir"), json::value("single_run_result"));
    EXPECT_EQ(general.at("dataset").at("file_path"), json::value("example_inputs.json"));
    EXPECT_EQ(general.at("profiler").at("concurrency_spike_analysis").at("spike_threshold"), json::value(7));
    EXPECT_EQ(loaded.config.original, *load_file(kData / "article_eval.yml"));
}

TEST(Load, EnvironmentAsNatReadsIt) {
    const auto loaded =
        load(kData / "env_interpolation.yml", test_catalogue(), with_environment({{"MYVAR", "42"}, {"EMPTY", ""}, {"SEVEN", "7"}}));
    EXPECT_EQ(loaded.config.root, *parse_json(*load_file(kData / "env_interpolation.json")));
}

TEST(Load, AVariableNeverBecomesMoreThanAScalar) {
    TemporaryFolder folder;
    const auto options =
        with_environment({{"LIST", "[1, 2]"}, {"MAP", "x\nllms: {}"}, {"TRUE", "true"}, {"REF", "${TRUE}"}, {"QUOTES", "\"q\""}});
    const auto loaded = load_text(
        folder, "a: ${LIST}\nb: ${MAP}\nc: ${TRUE}\nd: \"${TRUE}\"\ne: ${REF}\nf: [${TRUE}, x${TRUE}]\ng: ${NONE:-\"\"}\nh: ${QUOTES}\n",
        options);
    EXPECT_EQ(to_compact_json(loaded.config.root),
              R"({"a":"[1, 2]","b":"x\nllms: {}","c":true,"d":"true","e":"${TRUE}","f":[true,"xtrue"],"g":"","h":"q"})");
}

TEST(Load, BasesMergeUnderAndKeepTheirPlaces) {
    auto options = with_environment();
    const auto loaded = load(kData / "child.yml", test_catalogue(), options);
    EXPECT_EQ(loaded.config.llms.at("main").settings.at("model_name"), json::value("child/model"));
    EXPECT_EQ(loaded.config.llms.size(), 2u);
    EXPECT_EQ(loaded.config.workflow.settings.at("tool_names"), json::value(json::array{"clock"}));
    EXPECT_EQ(loaded.config.workflow.settings.at("system_prompt"), json::value("You are {{ name }}.\nCosts: ${NOT_EXPANDED}\n"));
    EXPECT_FALSE(loaded.config.root.contains("base"));
    ASSERT_EQ(loaded.problems.size(), 1u) << all_text(loaded);
    EXPECT_EQ(loaded.problems[0].place, (kData / "parent.yml").string() + ":5:18");

    options.overrides = {{"llms.main.temperature", "1"}};
    EXPECT_TRUE(load(kData / "child.yml", test_catalogue(), options).ok());
}

TEST(Load, BasesThatCannotBe) {
    TemporaryFolder folder;
    ASSERT_TRUE(save_file(folder.path() / "a.yml", "base: b.yml\n"));
    ASSERT_TRUE(save_file(folder.path() / "b.yml", "base: ./x/../a.yml\n"));
    ASSERT_TRUE(save_file(folder.path() / "list.yml", "[1]\n"));
    for (int i = 0; i < 30; ++i)
        ASSERT_TRUE(save_file(folder.path() / ("n" + std::to_string(i) + ".yml"), "base: n" + std::to_string(i + 1) + ".yml\n"));
    const std::vector<std::pair<std::string, std::string>> cases = {{"base: c.yml\n", "c.yml:1:7"},      {"base: a.yml\n", "b.yml:1:7"},
                                                                    {"base: none.yml\n", "c.yml:1:7"},   {"base: [a]\n", "c.yml:1:7"},
                                                                    {"base: ${X:?no}\n", "c.yml:1:7"},   {"base: n0.yml\n", "n14.yml:1:7"},
                                                                    {"base: list.yml\n", "list.yml:1:1"}};
    for (const auto& [text, place] : cases) {
        const auto loaded = load_text(folder, text);
        ASSERT_EQ(loaded.problems.size(), 1u) << text;
        EXPECT_EQ(loaded.problems[0].place, (folder.path() / place).string()) << text;
    }
    EXPECT_TRUE(load_text(folder, "base:\n").ok());
}

TEST(Load, OverridesTakeTheTypeOfWhatTheyReplace) {
    TemporaryFolder folder;
    auto options = with_environment({{"X", "5"}});
    options.overrides = {{"b", "FALSE"},         {"i", "-3"},   {"f", "1"},    {"l", " x , 2 "}, {"t", "7"}, {"n", "8"},
                         {"m.new.deep", "true"}, {"e", "${X}"}, {"empty", ""}, {"i", "4"}};
    const auto loaded = load_text(folder, "b: true\ni: 1\nf: 0.5\nl: [1]\nt: text\nn:\nm: {k: 1}\ne: text\nempty: [1]\n", options);
    EXPECT_EQ(to_compact_json(loaded.config.root),
              R"({"b":false,"i":4,"f":1,"l":["x","2"],"t":"7","n":"8","m":{"k":1,"new":{"deep":"true"}},"e":"5","empty":[]})");
}

TEST(Load, OverridesThatCannotBe) {
    TemporaryFolder folder;
    for (const auto& [path, value] : std::vector<std::pair<std::string, std::string>>{{"b", "maybe"},
                                                                                      {"i", "0.5"},
                                                                                      {"i", "x"},
                                                                                      {"f", "x"},
                                                                                      {"m", "x"},
                                                                                      {"t.x", "1"},
                                                                                      {"l.0", "1"},
                                                                                      {"", "1"},
                                                                                      {"a..b", "1"},
                                                                                      {std::string(200, '.'), "1"}}) {
        auto options = with_environment();
        options.overrides = {{path, value}};
        const auto loaded = load_text(folder, "eval: {general: {}}\nb: true\ni: 1\nf: 0.5\nm: {}\nt: text\nl: [1]\n", options);
        EXPECT_FALSE(loaded.ok()) << path;
        EXPECT_EQ(loaded.problems.back().place, "--override " + path);
    }
}

TEST(Load, NewPathsAreConvertedByTheSchema) {
    TemporaryFolder folder;
    auto options = with_environment();
    options.overrides = {{"eval.general.max_concurrency", "4"}, {"llms.main.temperature", "0.5"}, {"llms.main.model_name", "7"}};
    auto loaded = load_text(folder, "llms:\n  main: {_type: nim}\n", options);
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    EXPECT_EQ(loaded.config.eval_general.at("max_concurrency"), json::value(4));
    EXPECT_EQ(loaded.config.llms.at("main").settings.at("temperature"), json::value(0.5));
    EXPECT_EQ(loaded.config.llms.at("main").settings.at("model_name"), json::value("7"));

    options.overrides = {{"llms.main.temperature", "9"}, {"llms.main.model_name", "m"}};
    loaded = load_text(folder, "llms:\n  main: {_type: nim}\n", options);
    ASSERT_EQ(loaded.problems.size(), 1u);
    EXPECT_EQ(loaded.problems[0].place, "--override llms.main.temperature");
}

TEST(Load, TextSettingsKeepTheirSpelling) {
    TemporaryFolder folder;
    const auto loaded =
        load_text(folder, "llms: {main: {_type: nim, model_name: 1.10, base_url: 0x10, request_timeout: null, temperature: null}}\n");
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    const auto& settings = loaded.config.llms.at("main").settings;
    EXPECT_EQ(settings.at("model_name"), json::value("1.10"));
    EXPECT_EQ(settings.at("base_url"), json::value("0x10"));
    EXPECT_TRUE(settings.at("request_timeout").is_null());  // takes its default away
    EXPECT_FALSE(settings.contains("temperature"));         // had none
}

TEST(Load, TextFilesOnlyInMappings) {
    TemporaryFolder folder;
    ASSERT_TRUE(save_file(folder.path() / "p.MD", "text ${A}"));
    const auto loaded = load_text(folder, "a: file://p.MD\nb: ['file://p.MD']\nc: file://${NAME}\n", with_environment({{"NAME", "p.MD"}}));
    EXPECT_EQ(to_compact_json(loaded.config.root), R"({"a":"text ${A}","b":["file://p.MD"],"c":"text ${A}"})");
    EXPECT_FALSE(load_text(folder, "a: file://\n").ok());
    EXPECT_FALSE(load_text(folder, "a: file:///dev/zero.txt\n").ok());
}

TEST(Load, TextFilesAreNamedFromTheFileThatNamesThem) {
    TemporaryFolder folder;
    ASSERT_TRUE(save_file(folder.path() / "sub/p.txt", "below"));
    ASSERT_TRUE(save_file(folder.path() / "sub/parent.yml", "a: file://p.txt\n"));
    const auto loaded = load_text(folder, "base: sub/parent.yml\n");
    EXPECT_EQ(loaded.config.root.at("a"), json::value("below"));
}

TEST(Load, FilesThatCannotBeRead) {
    TemporaryFolder folder;
    const auto missing = load(folder.path() / "none.yml", test_catalogue(), with_environment());
    ASSERT_EQ(missing.problems.size(), 1u);
    EXPECT_FALSE(missing.ok());
    EXPECT_THAT(missing.problems[0].text(), HasSubstr("none.yml: not_found: "));
    EXPECT_FALSE(load(folder.path(), test_catalogue(), with_environment()).ok());
    for (const char* text : {"", "# nothing\n", "text\n", "7\n"}) {
        const auto loaded = load_text(folder, text);
        EXPECT_EQ(loaded.problems.size(), 1u) << text;
        EXPECT_FALSE(loaded.ok()) << text;
    }
    EXPECT_TRUE(load_text(folder, "{}").ok());
}

TEST(Load, ProfileReadsAConfigOfUnknownComponents) {
    TemporaryFolder folder;
    auto options = with_environment();
    options.check_components = false;
    const auto loaded =
        load_text(folder,
                  "llms: {a: {_type: plugin_llm, x: 1}, b: {_type: nim}, c: {x: 1}}\nworkflow: {_type: my_agent, llm_name: nobody}\n"
                  "memory: {m: {_type: zep}}\neval: {profiler: {base_metrics: on}}\n",
                  options);
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    EXPECT_FALSE(loaded.config.llms.at("a").known);
    EXPECT_TRUE(loaded.config.llms.at("b").known);
    EXPECT_EQ(loaded.config.workflow.type, "my_agent");
    EXPECT_FALSE(loaded.config.workflow.known);
    EXPECT_EQ(loaded.config.eval_general.at("profiler").at("base_metrics"), json::value(true));
}

TEST(Load, ANullProfilerIsNone) {
    TemporaryFolder folder;
    const auto loaded = load_text(folder, "eval: {general: {profiler: , dataset: null, output: null}}\n");
    ASSERT_TRUE(loaded.problems.empty()) << all_text(loaded);
    EXPECT_TRUE(loaded.config.eval_general.empty());
    EXPECT_TRUE(load_text(folder, "eval: {general: {profiler: {}}}\n").config.eval_general.contains("profiler"));
}

TEST(Load, AWrongInnerSettingOfTheProfilerIsSaidBesideTheOuterOnes) {
    TemporaryFolder folder;
    const auto loaded = load_text(folder,
                                  "eval:\n  general:\n    profiler:\n      base_metrics: perhaps\n      concurrency_spike_analysis:\n"
                                  "        spike_threshold: high\n        unknown: 1\n");
    EXPECT_EQ(loaded.problems.size(), 3u) << all_text(loaded);
    EXPECT_THAT(all_text(loaded), AllOf(HasSubstr("c.yml:4:"), HasSubstr("c.yml:6:"), HasSubstr("c.yml:7:"),
                                        HasSubstr("eval.general.profiler.concurrency_spike_analysis.spike_threshold: must be")));
    EXPECT_FALSE(load_text(folder, "eval: {profiler: {concurrency_spike_analysis: 7}}\n").ok());
}

TEST(Load, TooManyProblemsAreSummedUp) {
    TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "key" + std::to_string(i) + ": 1\n";
    auto loaded = load_text(folder, text);
    EXPECT_EQ(loaded.problems.size(), 201u);
    EXPECT_TRUE(loaded.ok());
    loaded = load_text(folder, text + "llms: 3\n");
    EXPECT_EQ(loaded.problems.size(), 201u);
    EXPECT_FALSE(loaded.ok());
}

TEST(Load, ResolvesNamesFromTheConfigsFolder) {
    TemporaryFolder folder;
    const auto loaded = load_text(folder, "{}");
    EXPECT_EQ(loaded.config.resolve("data.json"), folder.path() / "data.json");
    EXPECT_EQ(loaded.config.resolve(folder.path().string()), folder.path());
}

TEST(Load, KnowsEverySectionOfTheFormat) { EXPECT_EQ(section_names().size(), 19u); }

TEST(DidYouMean, OnlyTypingMistakes) {
    const std::vector<std::string> words = {"nim", "openai", "temperature", "top_p", "max_tokens"};
    EXPECT_EQ(did_you_mean("nmi", words), "nim");
    EXPECT_EQ(did_you_mean("opnai", words), "openai");
    EXPECT_EQ(did_you_mean("temprature", words), "temperature");
    EXPECT_EQ(did_you_mean("tempratrue", words), "temperature");
    EXPECT_EQ(did_you_mean("topp", words), "top_p");
    EXPECT_EQ(did_you_mean("nx", words), "");
    EXPECT_EQ(did_you_mean("mn", words), "");
    EXPECT_EQ(did_you_mean("tmprtr", words), "");
    EXPECT_EQ(did_you_mean("nim", words), "");
    EXPECT_EQ(did_you_mean("", words), "");
    EXPECT_EQ(did_you_mean(std::string(1 << 20, 'x'), words), "");
    EXPECT_EQ(did_you_mean("abd", {"abx", "abc"}), "abx");
}

}  // namespace
}  // namespace plimsoll::config
