#include "profile/token_forest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_cases.h"
#include "profile/pickle.h"
#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

json::value plain(const TreeNode& node) {
    json::value out = {{"samples", node.samples}};
    if (node.feature < 0) {
        out.as_object()["value"] = json::value_from(node.value);
        return out;
    }
    out.as_object()["feature"] = node.feature;
    out.as_object()["threshold"] = node.threshold;
    out.as_object()["left"] = plain(*node.left);
    out.as_object()["right"] = plain(*node.right);
    return out;
}

// Trees of scikit-learn 1.9 on the same rows.
class ForestTreeCase : public testing::TestWithParam<TestCase> {};

TEST_P(ForestTreeCase, IsSklearns) {
    using Table = std::vector<std::vector<double>>;
    const auto& input = GetParam().input;
    const TreeNode tree = grow_tree(json::value_to<Table>(input.at("features")), json::value_to<Table>(input.at("targets")), 2);
    EXPECT_EQ(find_difference(GetParam().expected, plain(tree)), "");
}

INSTANTIATE_TEST_SUITE_P(Nat, ForestTreeCase, testing::ValuesIn(load_test_cases("nat_cases/forest_tree")), case_name);

Result<TokenForest> fit_token_forest(const std::vector<event::SessionTrace>& sessions, ForestRules rules = ForestRules::plimsoll) {
    ForestRows rows(rules);
    for (const auto& session : sessions)
        if (const auto added = rows.add(session.steps); !added) return fail(added.error());
    return rows.fit();
}

// Calls whose prompt tells how many tokens the next call will spend.
event::SessionTrace session_of(int calls, int first) {
    std::vector<StepSpec> steps;
    for (int i = 0; i < calls; ++i) {
        const std::string uuid = std::to_string(i);
        steps.push_back({.type = "LLM_START", .time = 2.0 * i, .uuid = uuid});
        steps.push_back({.type = "LLM_END", .time = 2.0 * i + 1, .uuid = uuid, .prompt_tokens = first + i, .completion_tokens = 2 * first});
    }
    return make_session(steps);
}

TEST(TokenForestTest, LearnsWhatTheNextCallSpends) {
    std::vector<event::SessionTrace> sessions;
    for (int i = 0; i < 60; ++i) sessions.push_back(session_of(2, i % 2 == 0 ? 100 : 900));
    const auto forest = fit_token_forest(sessions);
    ASSERT_TRUE(forest.has_value());
    EXPECT_EQ(forest->window, 2u);
    EXPECT_EQ(forest->calls, 120u);
    EXPECT_EQ(forest->trees.size(), 3u);
    // A first call: nothing before it, then its own gap, prompt and unknown completion.
    EXPECT_NEAR(predict(*forest, {0, 0, 0, 0, 100, 0})[2], 200, 1e-9);
    EXPECT_NEAR(predict(*forest, {0, 0, 0, 0, 900, 0})[2], 1800, 1e-9);
    EXPECT_EQ(to_json(*forest), to_json(*fit_token_forest(sessions)));
}

TEST(TokenForestTest, NatGivesUpWhereItDoes) {
    const std::vector<event::SessionTrace> with_empty = {session_of(2, 5), {}};
    EXPECT_TRUE(fit_token_forest(with_empty).has_value());
    EXPECT_EQ(fit_token_forest(with_empty, ForestRules::nat).error().code, ErrorCode::invalid_argument);
    const std::vector<event::SessionTrace> lost_start = {make_session({{.type = "LLM_END", .time = 1, .uuid = "a", .prompt_tokens = 7}})};
    EXPECT_TRUE(fit_token_forest(lost_start).has_value());
    EXPECT_FALSE(fit_token_forest(lost_start, ForestRules::nat).has_value());
    EXPECT_EQ(fit_token_forest({}).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(fit_token_forest({{}}).error().code, ErrorCode::invalid_argument);
}

TEST(TokenForestTest, RowsAndWindowAreBounded) {
    std::vector<event::SessionTrace> sessions(500, session_of(50, 10));
    const auto forest = fit_token_forest(sessions);
    ASSERT_TRUE(forest.has_value());
    EXPECT_EQ(forest->calls, 25'000u);
    EXPECT_LE(forest->rows, kMaxForestRows);
    EXPECT_GT(forest->rows, kMaxForestRows / 2);
    EXPECT_EQ(forest->window, kMaxForestWindow);
}

TEST(PickleTest, IsProtocolTwo) {
    using namespace std::string_literals;
    EXPECT_EQ(to_pickle(nullptr), "\x80\x02N."s);
    EXPECT_EQ(to_pickle({{"a", json::array{1, true, 0.5}}}), "\x80\x02}(X\x01\0\0\0a](J\x01\0\0\0\x88G\x3f\xe0\0\0\0\0\0\0eu."s);
    EXPECT_EQ(to_pickle(-1), "\x80\x02J\xff\xff\xff\xff."s);
    EXPECT_EQ(to_pickle(std::int64_t{1} << 40), "\x80\x02\x8a\x08\0\0\0\0\0\x01\0\0."s);
    EXPECT_EQ(to_pickle(std::numeric_limits<std::uint64_t>::max()), "\x80\x02G\x43\xf0\0\0\0\0\0\0."s);
}

}  // namespace
}  // namespace plimsoll::profile
