// What a session will still spend, seen from one of its LLM calls: completion tokens of the call, and tokens of all later calls.
// Two linear fits (least squares) on what is known when the call starts. NAT 1.9.0 trains a random forest without a seed for the
// same question and leaves it in a Python pickle that nothing reads; this one is a small table, the same on every run.
#pragma once

#include <array>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

// Known at the start of a call: seconds since the start of the one before (0 for the first), its prompt tokens, the completion
// tokens of the one before, tokens of the session so far, and its number from 0.
inline constexpr std::array<std::string_view, 6> kTokenFeatures = {
    "intercept", "seconds_between_calls", "prompt_tokens", "previous_completion_tokens", "tokens_so_far", "call_index"};
inline constexpr std::array<std::string_view, 2> kTokenTargets = {"completion_tokens", "later_tokens"};

struct TokenFit {
    std::array<double, kTokenFeatures.size()> coefficients{};
    double mean = 0;
    // Over five folds of whole sessions, each predicted by a fit of the others: of the fit, and of predicting the mean.
    double held_out_error = 0, held_out_error_of_mean = 0;
};

struct TokenForecast {
    std::size_t calls = 0, sessions = 0;
    std::array<TokenFit, kTokenTargets.size()> fits;
};

// Errors: invalid_argument when fewer than kMinForecastSessions sessions have a finished LLM call.
inline constexpr std::size_t kMinForecastSessions = 5;
Result<TokenForecast> forecast_tokens(const RunGraph& graph);

json::object to_json(const TokenForecast& forecast);

}  // namespace plimsoll::profile
