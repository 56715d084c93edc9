// Common prefixes and PrefixSpan, against brute force where the data is random.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "profile/pattern_miner.h"
#include "profile/prefix_span.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

using testing::ElementsAre;

event::SessionTrace ask(const std::vector<std::string>& prompts, const std::string& model = "m") {
    std::vector<StepSpec> steps;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
        const auto time = static_cast<double>(i);
        const std::string uuid = fmt::format("{}-{}", model, i);
        steps.push_back({.type = "LLM_START", .time = time, .uuid = uuid, .name = model, .input = json::value(prompts[i])});
        steps.push_back({.type = "LLM_END", .time = time + 0.5, .uuid = uuid, .name = model});
    }
    return make_session(steps);
}

std::vector<std::string> texts(const ModelPrefixes& model) {
    std::vector<std::string> list;
    for (const auto& prefix : model.prefixes) list.push_back(prefix.text);
    return list;
}

std::map<std::string, ModelPrefixes> find_prefixes(const std::vector<event::SessionTrace>& sessions, double min_frequency, PrefixRule rule,
                                                   std::size_t max_bytes = kMaxPromptBytes) {
    CommonPrefixes prefixes(rule, max_bytes);
    for (const auto& session : sessions) prefixes.add(session.steps);
    return prefixes.find(min_frequency);
}
auto find_common_prefixes(const std::vector<event::SessionTrace>& sessions, double min_frequency) {
    return find_prefixes(sessions, min_frequency, PrefixRule::calls);
}
auto find_nat_prefixes(const std::vector<event::SessionTrace>& sessions, double min_frequency) {
    return find_prefixes(sessions, min_frequency, PrefixRule::nat);
}

TEST(CommonPrefixesTest, BranchingPointsWithTheirShares) {
    const std::vector<event::SessionTrace> sessions = {ask({"Hello world a", "Hello world b", "Hello moon", "Bye"})};
    const auto models = find_common_prefixes(sessions, 0.2);
    ASSERT_EQ(models.size(), 1u);
    const ModelPrefixes& model = models.at("m");
    EXPECT_EQ(model.total_calls, 4u);
    EXPECT_THAT(texts(model), ElementsAre("Hello ", "Hello world "));  // 2 × 6 saved, 1 × 12 saved
    EXPECT_EQ(model.prefixes[0].calls, 3u);
    EXPECT_DOUBLE_EQ(model.prefixes[0].share, 0.75);
    EXPECT_THAT(texts(find_common_prefixes(sessions, 0.6).at("m")), ElementsAre("Hello "));
}

TEST(CommonPrefixesTest, NatHalvesTheShareAndHidesWhatALongerOneContains) {
    const std::vector<event::SessionTrace> sessions = {ask({"Hello world a", "Hello world b", "Hello moon", "Bye"})};
    const auto models = find_nat_prefixes(sessions, 0.2);
    EXPECT_EQ(models.at("m").total_calls, 8u);
    EXPECT_THAT(texts(models.at("m")), ElementsAre("Hello world "));
    EXPECT_DOUBLE_EQ(models.at("m").prefixes[0].share, 0.25);
}

TEST(CommonPrefixesTest, NatsOwnCase) {  // llama-3 START and END of one text, llama-2 START
    auto first = ask({"Hello world!"}, "llama-3");
    auto second = ask({"Hello world!"}, "llama-2");
    second.steps.pop_back();
    const std::vector<event::SessionTrace> sessions = {first, second};
    const auto models = find_nat_prefixes(sessions, 0.6);
    EXPECT_EQ(models.at("llama-3").total_calls, 2u);
    EXPECT_TRUE(models.at("llama-3").prefixes.empty());
    EXPECT_THAT(texts(models.at("llama-2")), ElementsAre("Hello world!"));
}

TEST(CommonPrefixesTest, OneTextIsThePrefixOfAnother) {
    const std::vector<event::SessionTrace> sessions = {ask({"ab", "abc", "abc", "ab", ""})};
    const auto model = find_common_prefixes(sessions, 0).at("m");
    EXPECT_THAT(texts(model), ElementsAre("ab", "abc"));
    EXPECT_EQ(model.prefixes[0].calls, 4u);
    EXPECT_EQ(model.prefixes[1].calls, 2u);
}

TEST(CommonPrefixesTest, CodePointsAreNeverCut) {
    const std::vector<event::SessionTrace> sessions = {ask({"x\u00e9", "x\u00e8", "x\u65e5a", "x\u65e6b", "x\u65e5c"})};
    const auto model = find_common_prefixes(sessions, 0).at("m");
    EXPECT_THAT(texts(model), ElementsAre("x", "x\u65e5"));
    EXPECT_EQ(model.prefixes[1].length, 2u);
}

TEST(CommonPrefixesTest, TreeNestsAPrefixBelowTheLongestItBeginsWith) {
    const std::map<std::string, ModelPrefixes> models = {
        {"m", {.total_calls = 9, .prefixes = {{"ab", 2, 6, 0.7}, {"abc", 3, 4, 0.4}, {"abd", 3, 2, 0.2}, {"x", 1, 3, 0.3}}}}};
    const PrefixNode root = make_prefix_tree(models);
    EXPECT_EQ(root.count, 9u);
    ASSERT_EQ(root.children.size(), 1u);
    const PrefixNode& model = root.children.front();
    EXPECT_EQ(model.text, "m");
    ASSERT_EQ(model.children.size(), 2u);
    EXPECT_EQ(model.children[0].text, "ab");
    EXPECT_EQ(model.children[1].text, "x");
    ASSERT_EQ(model.children[0].children.size(), 2u);
    EXPECT_EQ(model.children[0].children[0].text, "c");
    EXPECT_EQ(model.children[0].children[1].count, 2u);
}

TEST(CommonPrefixesTest, NothingRecorded) {
    EXPECT_TRUE(find_common_prefixes({}, 0.5).empty());
    EXPECT_EQ(to_json(find_nat_prefixes({}, 0.5)).size(), 0u);
}

TEST(CommonPrefixesTest, ListIsBounded) {
    std::vector<std::string> prompts;
    for (std::size_t i = 0; i <= kMaxPrefixes; ++i)
        for (int twice = 0; twice < 2; ++twice) prompts.push_back(fmt::format("{:05} {}", i, twice));
    const std::vector<event::SessionTrace> sessions = {ask(prompts)};
    const auto model = find_common_prefixes(sessions, 0).at("m");
    EXPECT_EQ(model.prefixes.size(), kMaxPrefixes);
    EXPECT_TRUE(model.cut);
}

TEST(CommonPrefixesTest, CountsAgreeWithBruteForce) {
    Random random(3);
    std::vector<std::string> prompts;
    for (int i = 0; i < 200; ++i) {
        std::string text;
        for (int length = static_cast<int>(random.uniform(0, 7)); length > 0; --length) text += random.uniform() < 0.5 ? "a" : "\u00df";
        prompts.push_back(text);
    }
    std::map<std::string, std::size_t> counts;
    for (const auto& prompt : prompts)
        for (std::size_t end = 1; end <= prompt.size(); ++end)
            if (end == prompt.size() || (static_cast<unsigned char>(prompt[end]) & 0xc0) != 0x80) ++counts[prompt.substr(0, end)];
    std::map<std::string, std::size_t> expected;  // closed: each longer one has fewer
    for (const auto& [text, count] : counts) {
        const auto same = [&](const auto& other) {
            return other.first.size() > text.size() && other.first.starts_with(text) && other.second == count;
        };
        if (count >= 2 && std::ranges::none_of(counts, same)) expected[text] = count;
    }
    const std::vector<event::SessionTrace> sessions = {ask(prompts)};
    std::map<std::string, std::size_t> actual;
    const auto models = find_common_prefixes(sessions, 0);
    for (const auto& prefix : models.at("m").prefixes) actual[prefix.text] = prefix.calls;
    EXPECT_EQ(actual, expected);
}

// 3,000 prompts of three kinds that differ in their last words, and as many that nobody else begins with.
std::vector<event::SessionTrace> many_prompts() {
    std::vector<event::SessionTrace> sessions;
    Random random(9);
    for (int i = 0; i < 3000; ++i) {
        const char* kind = i % 6 == 0 ? "plan" : i % 2 == 0 ? "write" : "check";
        sessions.push_back(
            ask({fmt::format("You are an agent. Do {}: {:016x}", kind, static_cast<std::uint64_t>(random.uniform(0, 1.8e19))),
                 fmt::format("{:016x} alone", static_cast<std::uint64_t>(random.uniform(0, 1.8e19)))}));
    }
    return sessions;
}

TEST(CommonPrefixesTest, BeyondTheBoundWhatManyShareKeepsItsCount) {
    const auto sessions = many_prompts();
    const auto whole = find_prefixes(sessions, 0.05, PrefixRule::calls).at("m");
    const auto bounded = find_prefixes(sessions, 0.05, PrefixRule::calls, 100'000).at("m");
    EXPECT_EQ(whole.missed_calls, 0u);
    EXPECT_GT(bounded.missed_calls, 0u);
    EXPECT_LT(bounded.missed_calls, 100u);
    EXPECT_THAT(texts(whole),
                testing::IsSupersetOf({"You are an agent. Do ", "You are an agent. Do check: ", "You are an agent. Do plan: "}));
    EXPECT_EQ(texts(bounded), texts(whole));
    for (std::size_t i = 0; i < whole.prefixes.size(); ++i) EXPECT_EQ(bounded.prefixes[i].calls, whole.prefixes[i].calls);
    EXPECT_EQ(to_json({{"m", bounded}}).at("m").at("plimsoll").at("calls_missed_at_most").to_number<std::size_t>(), bounded.missed_calls);
}

TEST(CommonPrefixesTest, BeyondTheBoundNoCountIsOffByMoreThanSaid) {
    const auto sessions = many_prompts();
    const auto bounded = find_prefixes(sessions, 0, PrefixRule::calls, 100'000).at("m");
    EXPECT_GT(bounded.prefixes.size(), 100u);
    for (const auto& prefix : bounded.prefixes) {
        std::size_t calls = 0;
        for (const auto& session : sessions)
            for (const auto& step : session.steps)
                if (step.payload.data) calls += to_plain_text(step.payload.data->input).starts_with(prefix.text);
        EXPECT_LE(prefix.calls, calls) << prefix.text;
        EXPECT_GE(prefix.calls + bounded.missed_calls, calls) << prefix.text;
    }
}

TEST(CommonPrefixesTest, APromptHasALength) {
    const std::string prompt(kMaxPromptLength - 1, 'x');
    const auto model = find_common_prefixes({ask({prompt + "\u00e9 one", prompt + "\u00e9 two"})}, 0).at("m");
    ASSERT_EQ(model.prefixes.size(), 1u);
    EXPECT_EQ(model.prefixes[0].length, kMaxPromptLength - 1);
    EXPECT_EQ(model.shortened_prompts, 2u);
}

constexpr MinerLimits kNoLimits{1'000'000, 1000, 1'000'000'000, 1'000'000'000};

using MinerSequence = std::vector<MinerItem>;

MinedPatterns mine(const std::vector<MinerSequence>& list, std::size_t tokens, std::size_t min_support, const MinerLimits& limits) {
    MinerSequences sequences;
    for (const auto& sequence : list) sequences.add(sequence);
    return mine_patterns(sequences, tokens, min_support, limits);
}

MinerSequence tokens(std::initializer_list<std::uint32_t> list) {
    MinerSequence sequence;
    for (const auto token : list) sequence.push_back({token, 1.0 + token});
    return sequence;
}

std::map<std::vector<std::uint32_t>, MinedPattern> by_tokens(const MinedPatterns& mined) {
    std::map<std::vector<std::uint32_t>, MinedPattern> patterns;
    for (std::size_t i = 0; i < mined.list.size(); ++i) {
        std::vector<std::uint32_t> list;
        for (std::optional<std::size_t> at = i; at; at = mined.list[*at].parent) list.insert(list.begin(), mined.list[*at].token);
        patterns[list] = mined.list[i];
    }
    return patterns;
}

TEST(PatternMinerTest, GapsCountForFrequencyOnly) {
    const auto patterns = by_tokens(mine({tokens({0, 1, 2}), tokens({0, 2}), tokens({2, 0})}, 3, 2, kNoLimits));
    ASSERT_EQ(patterns.size(), 3u);  // 0, 2, and 0 2
    EXPECT_EQ(patterns.at({0}).frequency, 3u);
    EXPECT_EQ(patterns.at({0, 2}).frequency, 2u);
    EXPECT_EQ(patterns.at({0, 2}).covered, 1u);
    EXPECT_DOUBLE_EQ(patterns.at({0, 2}).mean_duration, 4);
}

TEST(PatternMinerTest, ARareTokenPartsWhatIsBesideIt) {
    const auto patterns = by_tokens(mine({tokens({0, kRareToken, 1}), tokens({0, kRareToken, 1}), tokens({0, 1})}, 2, 2, kNoLimits));
    ASSERT_EQ(patterns.size(), 3u);
    EXPECT_EQ(patterns.at({0, 1}).frequency, 3u);
    EXPECT_EQ(patterns.at({0, 1}).covered, 1u);
}

bool is_subsequence(const std::vector<std::uint32_t>& pattern, const MinerSequence& sequence) {
    std::size_t at = 0;
    for (const auto& item : sequence)
        if (at < pattern.size() && item.token == pattern[at]) ++at;
    return at == pattern.size();
}

TEST(PatternMinerTest, AgreesWithBruteForce) {
    Random random(11);
    std::vector<MinerSequence> sequences;
    for (int i = 0; i < 12; ++i) {
        auto& sequence = sequences.emplace_back();
        for (int length = static_cast<int>(random.uniform(0, 7)); length > 0; --length)
            sequence.push_back({static_cast<std::uint32_t>(random.uniform(0, 3)), random.uniform()});
    }
    const auto actual = by_tokens(mine(sequences, 3, 3, kNoLimits));
    std::vector<std::vector<std::uint32_t>> level = {{}};
    std::size_t expected = 0;
    while (!level.empty()) {
        std::vector<std::vector<std::uint32_t>> next;
        for (const auto& shorter : level)
            for (std::uint32_t token = 0; token < 3; ++token) {
                auto pattern = shorter;
                pattern.push_back(token);
                std::size_t frequency = 0, covered = 0;
                for (const auto& sequence : sequences) {
                    frequency += is_subsequence(pattern, sequence);
                    covered += !std::ranges::search(sequence, pattern, {}, &MinerItem::token).empty();
                }
                if (frequency < 3) continue;
                ++expected;
                ASSERT_TRUE(actual.contains(pattern));
                EXPECT_EQ(actual.at(pattern).frequency, frequency);
                EXPECT_EQ(actual.at(pattern).covered, covered);
                next.push_back(pattern);
            }
        level = std::move(next);
    }
    EXPECT_EQ(actual.size(), expected);
}

TEST(PatternMinerTest, EveryLimitCuts) {
    std::vector<MinerSequence> sequences(2);
    for (auto& sequence : sequences)
        for (std::uint32_t i = 0; i < 40; ++i) sequence.push_back({i, 1});  // 2^40 patterns
    EXPECT_EQ(mine(sequences, 40, 2, {500, 1000, 1'000'000, 1'000'000}).list.size(), 500u);
    for (const MinerLimits limits :
         {MinerLimits{500, 1000, 1'000'000'000, 1'000'000'000}, MinerLimits{1'000'000, 2, 1'000'000'000, 1'000'000'000},
          MinerLimits{1'000'000, 1000, 10'000, 1'000'000'000}, MinerLimits{1'000'000, 1000, 1'000'000'000, 200}}) {
        const auto mined = mine(sequences, 40, 2, limits);
        EXPECT_TRUE(mined.cut);
        EXPECT_GT(mined.list.size(), 0u);
        EXPECT_LE(mined.list.size(), 10'000u);
    }
    EXPECT_FALSE(mine({tokens({1})}, 2, 1, kNoLimits).cut);
}

std::vector<event::SessionTrace> two_examples() { return {ask({"plan A", "write"}), ask({"plan B", "write"}), ask({"plan C"})}; }

std::vector<CallSequence> make_sequences(const std::vector<event::SessionTrace>& sessions, int max_text_len,
                                         const std::map<std::string, ModelPrefixes>& prefixes) {
    std::vector<CallSequence> sequences;
    for (const auto& session : sessions)
        sequences.push_back(make_sequence(session.steps, event::pair_spans(session.steps), max_text_len, prefixes));
    for (std::size_t i = 0; i < sequences.size(); ++i) sequences[i].session = i;
    return sequences;
}

Written analyse_prefix_span(const std::vector<CallSequence>& list, const PrefixSpanSettings& settings,
                            SupportRule rule = SupportRule::count_from_one, std::size_t max_token_bytes = kMaxTokenBytes) {
    CallSequences sequences(max_token_bytes);
    for (const auto& sequence : list) sequences.add(sequence);
    return collect_output([&](const AnalysisOutput& output) { sequences.analyse(settings, {.support = rule}, output); });
}

std::vector<std::string> patterns_of(const Written& output) {
    std::vector<std::string> list;
    for (const auto& pattern : output.metrics.at("patterns").as_array()) {
        std::string text;
        for (const auto& token : pattern.at("pattern").as_array()) text += (text.empty() ? "" : " > ") + std::string(token.as_string());
        list.push_back(text);
    }
    return list;
}

TEST(PrefixSpanTest, PromptsArePartOfTheToken) {
    const auto sessions = two_examples();
    EXPECT_THAT(patterns_of(analyse_prefix_span(make_sequences(sessions, 1000, {}), {})), ElementsAre("LLM:m|write"));
    EXPECT_THAT(patterns_of(analyse_prefix_span(make_sequences(sessions, 4, {}), {})),
                ElementsAre("LLM:m|plan", "LLM:m|plan > LLM:m|writ", "LLM:m|writ"));
    EXPECT_THAT(patterns_of(analyse_prefix_span(make_sequences(sessions, 0, {}), {})), ElementsAre("LLM:m", "LLM:m > LLM:m"));
}

TEST(PrefixSpanTest, CommonPrefixesAreReplacedBeforeThePromptIsCut) {
    const auto sessions = two_examples();
    const auto sequences = make_sequences(sessions, 16, find_common_prefixes(sessions, 0.5));
    EXPECT_EQ(sequences[0].items[0].token, "LLM:m|<common_prefix>A");
    EXPECT_EQ(sequences[0].items[1].token, "LLM:m|write");
}

TEST(PrefixSpanTest, SupportIsACountFromOneAndAShareBelow) {
    const auto sessions = two_examples();
    const auto sequences = make_sequences(sessions, 0, {});
    const auto count = [&](std::optional<double> support, SupportRule rule) {
        return patterns_of(analyse_prefix_span(sequences, {.min_support = support}, rule)).size();
    };
    EXPECT_EQ(count(std::nullopt, SupportRule::count_from_one), 2u);
    EXPECT_EQ(count(3, SupportRule::count_from_one), 1u);
    EXPECT_EQ(count(0.6, SupportRule::count_from_one), 2u);
    EXPECT_EQ(count(1, SupportRule::always_share), 1u);
    EXPECT_EQ(count(2, SupportRule::always_share), 0u);
    EXPECT_EQ(count(std::nullopt, SupportRule::always_share), 2u);
    EXPECT_EQ(count(999, SupportRule::count_from_one), 0u);
}

TEST(PrefixSpanTest, TopAndCoverage) {
    const auto sessions = two_examples();
    const auto sequences = make_sequences(sessions, 0, {});
    EXPECT_EQ(patterns_of(analyse_prefix_span(sequences, {.top_k = 1})).size(), 1u);
    EXPECT_EQ(patterns_of(analyse_prefix_span(sequences, {.min_coverage = 1})).size(), 1u);
    EXPECT_EQ(analyse_prefix_span(sequences, {.top_k = 0}).report, "No patterns passed coverage/duration thresholds.");
    EXPECT_EQ(analyse_prefix_span({}, {}).report, "No frequent patterns found by PrefixSpan with the given min_support.");
}

std::vector<CallSequence> sequences_of(const std::vector<std::vector<std::string>>& lists) {
    std::vector<CallSequence> sequences;
    for (const auto& list : lists) {
        auto& sequence = sequences.emplace_back(sequences.size());
        for (const std::string& token : list) sequence.items.push_back({token, 1});
    }
    return sequences;
}

TEST(PrefixSpanTest, TokensWithoutRoomForTheirTextAreLeftOutAndCounted) {
    const auto sequences = sequences_of({{"first", "second"}, {"third", "second"}, {"third"}});
    // Each text has room that is kept before the sum of what is held grows beyond the bound.
    const auto one = analyse_prefix_span(sequences, {.min_support = 1}, SupportRule::count_from_one, 6);
    EXPECT_THAT(patterns_of(one), ElementsAre("second", "first > second", "first"));
    EXPECT_EQ(one.metrics.at("plimsoll").at("tokens_left_out").to_number<int>(), 1);
    // Nobody asks for what occurs in one session, so nothing is missing.
    const auto two = analyse_prefix_span(sequences, {}, SupportRule::count_from_one, 11);
    EXPECT_THAT(patterns_of(two), ElementsAre("second", "third"));
    EXPECT_FALSE(two.metrics.contains("plimsoll"));
}

TEST(PrefixSpanTest, OfManyExamplesTheFirstAreListedAndAllCounted) {
    const auto sequences = sequences_of(std::vector<std::vector<std::string>>(kMaxListedExamples + 5, {"a"}));
    const auto output = analyse_prefix_span(sequences, {});
    const auto& pattern = output.metrics.at("patterns").at(0);
    EXPECT_EQ(pattern.at("examples_containing").as_array().size(), kMaxListedExamples);
    EXPECT_EQ(pattern.at("plimsoll").at("examples").to_number<std::size_t>(), kMaxListedExamples + 5);
    EXPECT_THAT(output.report, testing::HasSubstr("(appears in 1005 examples)"));
    EXPECT_THAT(output.report, testing::HasSubstr("999, …]"));
}

TEST(PrefixSpanTest, ACutIsReported) {
    std::vector<CallSequence> sequences(2);
    for (auto& sequence : sequences)
        for (int i = 0; i < 60; ++i) sequence.items.push_back({fmt::format("TOOL:{}", i), 1});
    const auto output = analyse_prefix_span(sequences, {.top_k = 3});
    EXPECT_TRUE(output.metrics.at("plimsoll").at("mining_cut").as_bool());
    EXPECT_EQ(output.metrics.at("plimsoll").at("patterns_mined").to_number<std::size_t>(), kMaxMinedPatterns);
    EXPECT_EQ(output.metrics.at("patterns").as_array().size(), 3u);
}

}  // namespace
}  // namespace plimsoll::profile
