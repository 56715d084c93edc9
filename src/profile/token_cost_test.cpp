#include "profile/token_cost.h"

#include <gtest/gtest.h>

#include "profile/trace_fixture.h"

namespace plimsoll::profile {
namespace {

PriceTable parse(std::string_view text) { return parse_prices(*parse_json(text)).value(); }

event::SessionTrace priced_session(std::int64_t prompt, std::int64_t completion, std::int64_t cached) {
    auto session = make_session(make_call("LLM", "a", 0, 1, "m"));
    session.steps[1].payload.usage_info->token_usage = {.prompt_tokens = prompt, .completion_tokens = completion, .cached_tokens = cached};
    return session;
}

TEST(TokenCostTest, CachedTokensCostLess) {
    const std::vector<event::SessionTrace> sessions = {priced_session(1'000'000, 500'000, 400'000)};
    const PriceTable prices = parse(R"({"prices": {"m": {"input": 2, "output": 8, "cached": 0.5}}})");
    const TokenCost cost = compute_token_cost(make_run_graph(sessions), prices);
    EXPECT_DOUBLE_EQ(cost.total, 0.6 * 2 + 0.4 * 0.5 + 0.5 * 8);
    EXPECT_DOUBLE_EQ(cost.per_session.p50, cost.total);
    EXPECT_EQ(cost.failed, 0);
}

TEST(TokenCostTest, WithoutACachedPriceCachedTokensAreInput) {
    const std::vector<event::SessionTrace> sessions = {priced_session(1'000'000, 0, 1'000'000)};
    EXPECT_DOUBLE_EQ(compute_token_cost(make_run_graph(sessions), parse(R"({"m": {"input": 2, "output": 8}})")).total, 2);
}

TEST(TokenCostTest, MoreCachedThanPromptIsTakenAsAllCached) {
    const std::vector<event::SessionTrace> sessions = {priced_session(1'000'000, 0, 9'000'000)};
    const PriceTable prices = parse(R"({"m": {"input": 2, "output": 8, "cached": 1}})");
    EXPECT_DOUBLE_EQ(compute_token_cost(make_run_graph(sessions), prices).total, 1);
}

TEST(TokenCostTest, FailedCallsArePaidForAndUnknownModelsCounted) {
    auto failed = priced_session(1'000'000, 0, 0);
    set_error(failed, "a", ErrorCode::timeout);
    auto other = make_session(make_call("LLM", "b", 0, 1, "unknown"));
    const std::vector<event::SessionTrace> sessions = {failed, other, {}};
    const TokenCost cost = compute_token_cost(make_run_graph(sessions), parse(R"({"m": {"input": 3, "output": 0}})"));
    EXPECT_DOUBLE_EQ(cost.failed, 3);
    EXPECT_EQ(cost.unpriced_calls, 1u);
    EXPECT_FALSE(cost.models[1].cost.has_value());
    EXPECT_EQ(cost.per_session.n, 2u);
}

TEST(TokenCostTest, WrongTablesAreRefused) {
    for (const char* text : {"3", "[]", R"({"m": 1})", R"({"m": {"input": 1}})", R"({"m": {"input": "1", "output": 2}})",
                             R"({"m": {"input": -1, "output": 2}})", R"({"m": {"input": 1, "output": 2, "image": 3}})"}) {
        const auto prices = parse_prices(*parse_json(text));
        ASSERT_FALSE(prices.has_value()) << text;
        EXPECT_EQ(prices.error().code, ErrorCode::config) << text;
    }
}

}  // namespace
}  // namespace plimsoll::profile
