#include "profile/token_forecast.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace plimsoll::profile {
namespace {

constexpr std::size_t kFeatures = kTokenFeatures.size();
constexpr std::size_t kTargets = kTokenTargets.size();
constexpr std::size_t kFolds = 5;
constexpr std::size_t kCallIndex = kFeatures - 1;  // among the features

using Vector = std::array<double, kFeatures>;

struct Row {
    Vector features;
    std::array<double, kTargets> targets;
};

// Sums of a least squares fit: sums of disjoint rows add and subtract.
struct Sums {
    std::array<Vector, kFeatures> squares{};  // XᵀX
    std::array<Vector, kTargets> products{};  // Xᵀy
    std::array<double, kTargets> target_sum{};
    double rows = 0;

    void add(const Row& row) {
        for (std::size_t i = 0; i < kFeatures; ++i) {
            for (std::size_t j = 0; j < kFeatures; ++j) squares[i][j] += row.features[i] * row.features[j];
            for (std::size_t t = 0; t < kTargets; ++t) products[t][i] += row.features[i] * row.targets[t];
        }
        for (std::size_t t = 0; t < kTargets; ++t) target_sum[t] += row.targets[t];
        ++rows;
    }

    void add(const Sums& other, double sign) {
        for (std::size_t i = 0; i < kFeatures; ++i) {
            for (std::size_t j = 0; j < kFeatures; ++j) squares[i][j] += sign * other.squares[i][j];
            for (std::size_t t = 0; t < kTargets; ++t) products[t][i] += sign * other.products[t][i];
        }
        for (std::size_t t = 0; t < kTargets; ++t) target_sum[t] += sign * other.target_sum[t];
        rows += sign * other.rows;
    }

    double mean(std::size_t target) const { return rows > 0 ? target_sum[target] / rows : 0; }
};

// Cholesky. A feature that is a sum of others, or always zero, gets coefficient 0: its pivot is nothing but rounding.
Vector solve(std::array<Vector, kFeatures> a, const Vector& b) {
    constexpr double kRelativePivot = 1e-9;
    std::array<bool, kFeatures> used{};
    Vector x{};
    for (std::size_t i = 0; i < kFeatures; ++i) {
        const double scale = a[i][i];
        for (std::size_t k = 0; k < i; ++k)
            if (used[k]) a[i][i] -= a[i][k] * a[i][k];
        used[i] = scale > 0 && a[i][i] > kRelativePivot * scale;
        if (!used[i]) continue;
        a[i][i] = std::sqrt(a[i][i]);
        for (std::size_t j = i + 1; j < kFeatures; ++j) {
            for (std::size_t k = 0; k < i; ++k)
                if (used[k]) a[j][i] -= a[j][k] * a[i][k];
            a[j][i] /= a[i][i];
        }
        x[i] = b[i];
        for (std::size_t k = 0; k < i; ++k)
            if (used[k]) x[i] -= a[i][k] * x[k];
        x[i] /= a[i][i];
    }
    for (std::size_t i = kFeatures; i-- > 0;) {
        if (!used[i]) continue;
        for (std::size_t j = i + 1; j < kFeatures; ++j)
            if (used[j]) x[i] -= a[j][i] * x[j];
        x[i] /= a[i][i];
    }
    return x;
}

double dot(const Vector& a, const Vector& b) {
    double sum = 0;
    for (std::size_t i = 0; i < kFeatures; ++i) sum += a[i] * b[i];
    return sum;
}

std::vector<Row> make_rows(const RunGraph& graph, const SessionRow& session) {
    struct LlmCall {
        double start;
        double prompt_tokens, completion_tokens;
    };
    std::vector<LlmCall> calls;
    for (const std::uint32_t i : graph.by_start_of(session)) {
        const Call& call = graph.calls_of(session)[i];
        if (call.category != event::Category::llm || !call.succeeded()) continue;
        const event::TokenUsage& usage = graph.usage_of(call);
        calls.push_back({call.start, static_cast<double>(usage.prompt_tokens), static_cast<double>(usage.completion_tokens)});
    }
    double so_far = 0, later = 0;
    for (const LlmCall& call : calls) later += call.prompt_tokens + call.completion_tokens;
    std::vector<Row> rows;
    rows.reserve(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        const double tokens = calls[i].prompt_tokens + calls[i].completion_tokens;
        later -= tokens;
        const double gap = i == 0 ? 0 : calls[i].start - calls[i - 1].start;
        const double previous = i == 0 ? 0 : calls[i - 1].completion_tokens;
        rows.push_back({{1, gap, calls[i].prompt_tokens, previous, so_far, static_cast<double>(i)}, {calls[i].completion_tokens, later}});
        so_far += tokens;
    }
    return rows;
}

// Rows are made whenever they are wanted: those of all sessions take more memory than what they are made of. Sessions with LLM calls go to
// the folds in turn.
template <class Use>
void for_each_row(const RunGraph& graph, Use use) {
    std::size_t session_number = 0;
    for (const SessionRow& session : graph.sessions) {
        const auto rows = make_rows(graph, session);
        for (const Row& row : rows) use(session_number % kFolds, row);
        if (!rows.empty()) ++session_number;
    }
}

}  // namespace

Result<TokenForecast> forecast_tokens(const RunGraph& graph) {
    TokenForecast forecast;
    std::array<Sums, kFolds> fold_sums;
    for_each_row(graph, [&](std::size_t fold, const Row& row) {
        fold_sums[fold].add(row);
        ++forecast.calls;
        if (row.features[kCallIndex] == 0) ++forecast.sessions;
    });
    if (forecast.sessions < kMinForecastSessions)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} sessions with LLM calls, at least {} are needed", forecast.sessions, kMinForecastSessions));

    Sums all;
    for (const Sums& fold : fold_sums) all.add(fold, 1);
    std::array<std::array<Vector, kTargets>, kFolds> coefficients_without;
    std::array<std::array<double, kTargets>, kFolds> mean_without;
    for (std::size_t f = 0; f < kFolds; ++f) {
        Sums others = all;
        others.add(fold_sums[f], -1);
        for (std::size_t t = 0; t < kTargets; ++t) {
            coefficients_without[f][t] = solve(others.squares, others.products[t]);
            mean_without[f][t] = others.mean(t);
        }
    }
    for (std::size_t t = 0; t < kTargets; ++t) {
        forecast.fits[t].coefficients = solve(all.squares, all.products[t]);
        forecast.fits[t].mean = all.mean(t);
    }
    const auto calls = static_cast<double>(forecast.calls);
    for_each_row(graph, [&](std::size_t fold, const Row& row) {
        for (std::size_t t = 0; t < kTargets; ++t) {
            TokenFit& fit = forecast.fits[t];
            fit.held_out_error += std::abs(dot(coefficients_without[fold][t], row.features) - row.targets[t]) / calls;
            fit.held_out_error_of_mean += std::abs(mean_without[fold][t] - row.targets[t]) / calls;
        }
    });
    return forecast;
}

json::object to_json(const TokenForecast& forecast) {
    json::object targets;
    for (std::size_t t = 0; t < kTargets; ++t) {
        const TokenFit& fit = forecast.fits[t];
        json::object coefficients;
        for (std::size_t i = 0; i < kFeatures; ++i) coefficients[kTokenFeatures[i]] = fit.coefficients[i];
        targets[kTokenTargets[t]] = {{"mean", fit.mean},
                                     {"coefficients", std::move(coefficients)},
                                     {"held_out_mean_absolute_error", fit.held_out_error},
                                     {"held_out_mean_absolute_error_of_mean", fit.held_out_error_of_mean}};
    }
    return {{"sessions", forecast.sessions}, {"calls", forecast.calls}, {"targets", std::move(targets)}};
}

}  // namespace plimsoll::profile
