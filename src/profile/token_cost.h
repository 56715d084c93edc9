// What the tokens of a run cost, by a price table that the caller gives. Without a table there is no cost.
//
//   prices:                     # YAML or JSON; money for a million tokens, in any one currency
//     llama-70b: {input: 0.60, output: 0.90, cached: 0.15}
//
//   cost = ((prompt − cached) × input + cached × cached price + completion × output) / 1,000,000
//
// Cached tokens are part of the prompt tokens, as OpenAI's servers report them; without a `cached` price they cost what input
// costs. Failed calls are paid for like others, as far as they reported tokens.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "profile/distribution.h"
#include "profile/run_graph.h"

namespace plimsoll::profile {

struct Price {
    double input = 0, output = 0, cached = 0;  // a million tokens
};
using PriceTable = std::map<std::string, Price, std::less<>>;  // by model name

// A mapping of models, or one under `prices`. Errors: config, naming the model and the field (unknown, missing or no number >= 0).
Result<PriceTable> parse_prices(const json::value& value);

struct ModelCost {
    std::string model;
    std::size_t calls = 0;
    event::TokenUsage tokens;
    std::optional<double> cost;  // nothing when the table has no such model
};

struct TokenCost {
    std::vector<ModelCost> models;  // by name
    double total = 0;
    double failed = 0;         // of the total: of calls that failed or were cancelled
    Distribution per_session;  // of all sessions with steps
    std::size_t unpriced_calls = 0;
};

TokenCost compute_token_cost(const RunGraph& graph, const PriceTable& prices);
json::value to_json(const TokenCost& cost);

}  // namespace plimsoll::profile
