#include "profile/profiler_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>

namespace plimsoll::profile {
namespace {

TEST(ProfilerConfigTest, DefaultsSwitchNothingOn) {
    for (const json::value& settings : {json::value(nullptr), json::value(json::object())}) {
        const auto config = parse_profiler_config(settings);
        ASSERT_TRUE(config.has_value());
        EXPECT_FALSE(config->base_metrics);
        EXPECT_EQ(config->concurrency_spike_analysis.spike_threshold, 1);
        EXPECT_EQ(config->prefix_span_analysis.max_text_len, 1000);
        EXPECT_TRUE(config->warnings.empty());
    }
}

TEST(ProfilerConfigTest, ReadsEveryLevel) {
    const auto config = parse_profiler_config({{"base_metrics", true},
                                               {"bottleneck_analysis", {{"enable_nested_stack", true}}},
                                               {"concurrency_spike_analysis", {{"enable", true}, {"spike_threshold", 7}}},
                                               {"prefix_span_analysis", {{"min_support", 0.5}}},
                                               {"prediction_trie", nullptr},
                                               {"dynamo_metrics", {{"enable", true}}}});
    ASSERT_TRUE(config.has_value());
    EXPECT_TRUE(config->base_metrics);
    EXPECT_TRUE(config->bottleneck_analysis.enable_nested_stack);
    EXPECT_EQ(config->concurrency_spike_analysis.spike_threshold, 7);
    EXPECT_EQ(config->prefix_span_analysis.min_support, 0.5);
    EXPECT_TRUE(config->dynamo_metrics.enable);
    EXPECT_EQ(config->dynamo_metrics.query_range, "30s");
    EXPECT_TRUE(config->warnings.empty());
}

TEST(ProfilerConfigTest, UnknownKeysAreWarnings) {
    const auto config = parse_profiler_config({{"base_metric", true}, {"prediction_trie", {{"enabled", true}}}});
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->warnings.size(), 2u);
}

TEST(ProfilerConfigTest, EveryWrongFieldIsReported) {
    const auto config = parse_profiler_config(
        {{"base_metrics", "perhaps"}, {"bottleneck_analysis", true}, {"prompt_caching_prefixes", {{"min_frequency", 2}}}});
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(config.error().code, ErrorCode::config);
    EXPECT_THAT(config.error().message, testing::AllOf(testing::HasSubstr("base_metrics"), testing::HasSubstr("bottleneck_analysis"),
                                                       testing::HasSubstr("min_frequency")));
}

TEST(ProfilerConfigTest, NoMappingIsAnError) { EXPECT_FALSE(parse_profiler_config(json::value("yes")).has_value()); }

TEST(ProfilerConfigTest, CatalogueListsEveryKey) {
    const Catalogue all = profiler_catalogue();
    EXPECT_EQ(all.front().type, "");
    EXPECT_EQ(all.front().fields.size(), 12u);
    for (const ComponentInfo& info : all) EXPECT_EQ(info.section, "profiler");
    for (const ComponentInfo& info : std::span(all).subspan(1))
        EXPECT_EQ(std::ranges::count(all.front().fields, info.type, &FieldInfo::name), 1) << info.type;
}

TEST(ProfilerConfigTest, TrieStaysInTheFolderAndOverwritesNothing) {
    const auto parse = [](const char* name) { return parse_profiler_config({{"prediction_trie", {{"output_filename", name}}}}); };
    for (const char* name : {"", ".", "..", "../escape.json", "/tmp/trie.json", "a/b.json", ".hidden", "all_requests_profiler_traces.json",
                             "events.jsonl", "workflow_output.json", "accuracy_output.json", "report.html", "profile.json"}) {
        const auto config = parse(name);
        ASSERT_FALSE(config.has_value()) << name;
        EXPECT_EQ(config.error().code, ErrorCode::config);
        EXPECT_THAT(config.error().message, testing::HasSubstr("prediction_trie: output_filename"));
    }
    for (const char* name : {"prediction_trie.json", "trie-2.json", "forecast of calls.json"}) EXPECT_TRUE(parse(name).has_value()) << name;
}

}  // namespace
}  // namespace plimsoll::profile
