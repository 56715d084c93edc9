#include "profile/token_cost.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plimsoll::profile {
namespace {

constexpr double kTokensPerPrice = 1e6;

Result<Price> parse_price(std::string_view model, const json::value& value) {
    const auto* fields = value.if_object();
    if (!fields) return fail(ErrorCode::config, fmt::format("prices.{}: not a mapping", model));
    Price price;
    std::optional<double> cached;
    bool has_input = false, has_output = false;
    for (const auto& [key, field] : *fields) {
        const auto number = get_number(value, key);
        if (!number || !std::isfinite(*number) || *number < 0)
            return fail(ErrorCode::config, fmt::format("prices.{}.{}: not a number of 0 or more", model, std::string_view(key)));
        if (key == "input") {
            price.input = *number;
            has_input = true;
        } else if (key == "output") {
            price.output = *number;
            has_output = true;
        } else if (key == "cached") {
            cached = number;
        } else {
            return fail(ErrorCode::config,
                        fmt::format("prices.{}.{}: unknown, give input, output and cached", model, std::string_view(key)));
        }
    }
    if (!has_input || !has_output) return fail(ErrorCode::config, fmt::format("prices.{}: needs input and output", model));
    price.cached = cached.value_or(price.input);
    return price;
}

double cost_of(const event::TokenUsage& tokens, const Price& price) {
    const auto cached =
        static_cast<double>(std::clamp<std::int64_t>(tokens.cached_tokens, 0, std::max<std::int64_t>(0, tokens.prompt_tokens)));
    const double fresh = static_cast<double>(tokens.prompt_tokens) - cached;
    return (fresh * price.input + cached * price.cached + static_cast<double>(tokens.completion_tokens) * price.output) / kTokensPerPrice;
}

}  // namespace

Result<PriceTable> parse_prices(const json::value& value) {
    const auto* nested = find(value, "prices");
    const json::value& table = nested ? *nested : value;
    const auto* models = table.if_object();
    if (!models) return fail(ErrorCode::config, "prices: not a mapping of models");
    PriceTable prices;
    for (const auto& [model, fields] : *models) {
        auto price = parse_price(model, fields);
        if (!price) return fail(price.error());
        prices.emplace(model, *price);
    }
    return prices;
}

TokenCost compute_token_cost(const RunGraph& graph, const PriceTable& prices) {
    TokenCost result;
    std::map<std::string, ModelCost, std::less<>> models;
    std::vector<double> sessions;
    for (const SessionRow& session : graph.sessions) {
        double session_cost = 0;
        for (const std::uint32_t i : graph.by_start_of(session)) {
            const Call& call = graph.calls_of(session)[i];
            if (call.category != event::Category::llm) continue;
            const std::string& name = graph.name_of(call);
            ModelCost& model = models[name];
            ++model.calls;
            model.tokens += graph.usage_of(call);
            const auto price = prices.find(name);
            if (price == prices.end()) {
                ++result.unpriced_calls;
                continue;
            }
            const double cost = cost_of(graph.usage_of(call), price->second);
            model.cost = model.cost.value_or(0) + cost;
            session_cost += cost;
            if (call.failed) result.failed += cost;
        }
        result.total += session_cost;
        if (session.steps > 0) sessions.push_back(session_cost);
    }
    for (auto& [name, model] : models) {
        model.model = name;
        result.models.push_back(std::move(model));
    }
    result.per_session = make_distribution(std::move(sessions));
    return result;
}

json::value to_json(const TokenCost& cost) {
    json::array models;
    for (const ModelCost& model : cost.models)
        models.push_back({{"model", model.model},
                          {"calls", model.calls},
                          {"prompt_tokens", model.tokens.prompt_tokens},
                          {"cached_tokens", model.tokens.cached_tokens},
                          {"completion_tokens", model.tokens.completion_tokens},
                          {"cost", model.cost ? json::value(*model.cost) : json::value(nullptr)}});
    return {{"total", cost.total},
            {"failed", cost.failed},
            {"per_session", to_json(cost.per_session)},
            {"unpriced_calls", cost.unpriced_calls},
            {"models", std::move(models)}};
}

}  // namespace plimsoll::profile
