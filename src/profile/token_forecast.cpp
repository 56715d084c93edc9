#include "profile/token_forecast.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace plimsoll::profile {
namespace {

constexpr std::size_t kFeatures = kTokenFeatures.size();
constexpr std::size_t kTargets = kTokenTargets.size();
constexpr std::size_t kFolds = 5;

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

std::vector<Row> make_rows(const event::SpanList& session) {
    std::vector<const event::Span*> calls;
    for (const auto& span : session.spans)
        if (span.category == event::Category::llm && succeeded(span)) calls.push_back(&span);
    double so_far = 0, later = 0;
    const auto tokens = [](const event::Span* call) {
        return static_cast<double>(call->usage.prompt_tokens + call->usage.completion_tokens);
    };
    for (const event::Span* call : calls) later += tokens(call);
    std::vector<Row> rows;
    rows.reserve(calls.size());
    for (std::size_t i = 0; i < calls.size(); ++i) {
        later -= tokens(calls[i]);
        const double gap = i == 0 ? 0 : calls[i]->start - calls[i - 1]->start;
        const double previous = i == 0 ? 0 : static_cast<double>(calls[i - 1]->usage.completion_tokens);
        rows.push_back({{1, gap, static_cast<double>(calls[i]->usage.prompt_tokens), previous, so_far, static_cast<double>(i)},
                        {static_cast<double>(calls[i]->usage.completion_tokens), later}});
        so_far += tokens(calls[i]);
    }
    return rows;
}

}  // namespace

Result<TokenForecast> forecast_tokens(const TraceView& view) {
    std::array<std::vector<Row>, kFolds> folds;
    TokenForecast forecast;
    for (const auto& session : view.spans) {
        const auto rows = make_rows(session);
        if (rows.empty()) continue;
        auto& fold = folds[forecast.sessions++ % kFolds];
        fold.insert(fold.end(), rows.begin(), rows.end());
        forecast.calls += rows.size();
    }
    if (forecast.sessions < kMinForecastSessions)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} sessions with LLM calls, at least {} are needed", forecast.sessions, kMinForecastSessions));

    std::array<Sums, kFolds> fold_sums;
    Sums all;
    for (std::size_t f = 0; f < kFolds; ++f) {
        for (const Row& row : folds[f]) fold_sums[f].add(row);
        all.add(fold_sums[f], 1);
    }
    const auto calls = static_cast<double>(forecast.calls);
    for (std::size_t t = 0; t < kTargets; ++t) {
        TokenFit& fit = forecast.fits[t];
        fit.coefficients = solve(all.squares, all.products[t]);
        fit.mean = all.mean(t);
        for (std::size_t f = 0; f < kFolds; ++f) {
            Sums others = all;
            others.add(fold_sums[f], -1);
            const Vector coefficients = solve(others.squares, others.products[t]);
            for (const Row& row : folds[f]) {
                fit.held_out_error += std::abs(dot(coefficients, row.features) - row.targets[t]) / calls;
                fit.held_out_error_of_mean += std::abs(others.mean(t) - row.targets[t]) / calls;
            }
        }
    }
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
