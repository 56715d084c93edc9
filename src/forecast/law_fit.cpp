#include "forecast/law_fit.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::forecast {
namespace {

constexpr int kMaxIterations = 20;  // of one descent
constexpr int kScaleRounds = 4;
constexpr double kPriorSd = 3;       // of a coefficient's logarithm around the first guess: only keeps an unseen one from running off
constexpr double kFarOut = 6;        // residuals beyond this many expected deviations count less, by Huber's rule
constexpr double kTailFreedom = 3;   // of the t distribution that residuals are judged by
constexpr double kTablePseudo = 3;   // observations of the line that each entry of the table starts with
constexpr double kSmallest = 1e-15;  // seconds; a coefficient this small is none

double prompt_steps(double tokens, double n, const FitSettings& settings) {
    const double room = std::max(1.0, settings.max_batched_tokens - (settings.chunked_prefill ? n : 0));
    return std::max(1.0, std::ceil(tokens / room));
}

double median_of(std::vector<double> values) { return percentile(std::move(values), 50); }

}  // namespace

double expected_seconds(const StepLaw& law, const Observation& one, const FitSettings& settings) {
    const double plain = law.step_seconds(one.n, one.context, 0, 0);
    switch (one.kind) {
        case Observation::Kind::step:
            return one.groups.empty() ? plain : law.step_seconds(one.n, one.context, one.groups[0].tokens, one.groups[0].prompts);
        case Observation::Kind::decode: {
            double seconds = one.tokens * plain;
            for (const PromptGroup& group : one.groups) {
                const double steps = prompt_steps(group.tokens, one.n, settings);
                if (settings.chunked_prefill)
                    seconds += one.share * steps * (law.step_seconds(one.n, one.context, group.tokens / steps, group.prompts) - plain);
                else
                    seconds += one.share * law.step_seconds(0, 0, group.tokens, group.prompts);
            }
            return seconds;
        }
        case Observation::Kind::first_token: {
            const PromptGroup& group = one.groups.front();
            const double n = settings.chunked_prefill ? one.n : 0;
            const double context = settings.chunked_prefill ? one.context : 0;
            const double steps = prompt_steps(group.tokens, n, settings);
            return law.ingest + one.busy * plain / 2 + steps * law.step_seconds(n, context, group.tokens / steps, group.prompts);
        }
    }
    return plain;
}

namespace {

StepLaw first_guess(LawForm form, const Observations& observations) {
    std::vector<double> token_seconds, prompt_seconds, first_token;
    for (const Observation& one : observations.list) {
        if (one.kind == Observation::Kind::decode) token_seconds.push_back(one.seconds / one.tokens);
        if (one.kind == Observation::Kind::step && one.groups.empty()) token_seconds.push_back(one.seconds);
        if (one.kind != Observation::Kind::first_token) continue;
        prompt_seconds.push_back(one.seconds / one.groups[0].tokens);
        first_token.push_back(one.seconds);
    }
    StepLaw law;
    law.form = form;
    const double token = std::max(kSmallest, percentile(token_seconds, 10));
    law.a = law.prompt_a = 0.8 * token;
    law.b = law.prompt_b = 0.03 * token;
    law.c = 0.02 * token / std::max(1.0, observations.peak_context);
    law.d = std::max(kSmallest, 0.5 * median_of(prompt_seconds));
    law.e = 0.03 * token;
    law.ingest = 0.05 * std::max(kSmallest, percentile(first_token, 5));
    return law;
}

// What first tokens take beyond the steps that bring them. Most calls wait for other things too, so a low percentile of all is
// nearer to what each has to wait.
double ingest_seconds(StepLaw law, const Observations& observations, const FitSettings& settings) {
    constexpr double kPercentile = 25;
    law.ingest = 0;
    std::vector<double> beyond;
    for (const Observation& one : observations.list)
        if (one.kind == Observation::Kind::first_token && one.busy == 0)
            beyond.push_back(one.seconds - expected_seconds(law, one, settings));
    return std::max(0.0, percentile(std::move(beyond), kPercentile));
}

}  // namespace

StepLaw LawFit::moved(const std::array<double, kMaxCoefficients>& by) const {
    StepLaw law = law_;
    for (std::size_t k = 0; k < coefficients_.size(); ++k)
        law.*coefficients_[k] = std::max(kSmallest, law.*coefficients_[k] * std::exp(std::clamp(by[k], -2.0, 2.0)));
    if (law.form == LawForm::table) {
        if (std::ranges::find(coefficients_, &StepLaw::prompt_a) == coefficients_.end()) {
            law.prompt_a = law.a;
            law.prompt_b = law.b;
            law.e = 0;
        }
        law.table.resize(table_ratio_.size());
        for (std::size_t n = 0; n < table_ratio_.size(); ++n) law.table[n] = table_ratio_[n] * (law.a + law.b * static_cast<double>(n));
    }
    return law;
}

// Scales come from the expected time, not the measured one: dividing by what was measured would favour short times.
void LawFit::set_scales(const Observations& observations, const FitSettings& settings) {
    scales_.resize(observations.list.size());
    for (std::size_t i = 0; i < scales_.size(); ++i) {
        const Observation& one = observations.list[i];
        const double expected = std::max(kSmallest, expected_seconds(law_, one, settings));
        scales_[i] = one.sd * (one.typical > 0 ? std::sqrt(expected * one.typical) : expected);
    }
}

double LawFit::cost(const StepLaw& law, const Observations& observations, const FitSettings& settings) const {
    double sum = 0;
    for (std::size_t i = 0; i < scales_.size(); ++i) {
        const Observation& one = observations.list[i];
        if (observations.ignores(one)) continue;
        const double z = std::abs(one.seconds - expected_seconds(law, one, settings)) / scales_[i];
        sum += z <= kFarOut ? z * z : kFarOut * (2 * z - kFarOut);
    }
    for (const auto coefficient : coefficients_) {
        const double z = std::log(law.*coefficient / start_.*coefficient) / kPriorSd;
        sum += z * z;
    }
    return sum;
}

void LawFit::linearise(const Observations& observations, const FitSettings& settings) {
    constexpr double kDelta = 1e-4;
    std::vector<StepLaw> shifted;
    for (std::size_t k = 0; k < coefficients_.size(); ++k) {
        std::array<double, kMaxCoefficients> by{};
        by[k] = kDelta;
        shifted.push_back(moved(by));
    }
    rows_.resize(observations.list.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Observation& one = observations.list[i];
        Row& row = rows_[i];
        const double expected = expected_seconds(law_, one, settings);
        const double scale = scales_[i];
        row.residual = (one.seconds - expected) / scale;
        row.weight = std::abs(row.residual) <= kFarOut ? 1 : kFarOut / std::abs(row.residual);
        row.cluster = one.cluster;
        if (observations.ignores(one)) {
            row = {.weight = 0, .cluster = one.cluster};
            continue;
        }
        for (std::size_t k = 0; k < shifted.size(); ++k)
            row.slope[k] = (expected_seconds(shifted[k], one, settings) - expected) / kDelta / scale;
    }
}

std::array<double, LawFit::kMaxCoefficients> LawFit::solve(std::span<const double> cluster_weight, double damping) const {
    const std::size_t size = coefficients_.size();
    std::array<std::array<double, kMaxCoefficients + 1>, kMaxCoefficients> m{};
    for (const Row& row : rows_) {
        const double drawn = cluster_weight.empty() ? 1 : cluster_weight[static_cast<std::size_t>(row.cluster)];
        const double weight = row.weight * drawn;
        if (weight == 0) continue;
        for (std::size_t i = 0; i < size; ++i) {
            for (std::size_t j = 0; j <= i; ++j) m[i][j] += weight * row.slope[i] * row.slope[j];
            m[i][size] += weight * row.slope[i] * row.residual;
        }
    }
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = i + 1; j < size; ++j) m[i][j] = m[j][i];
        const double off = std::log(law_.*coefficients_[i] / start_.*coefficients_[i]);
        m[i][i] += 1 / (kPriorSd * kPriorSd);
        m[i][size] -= off / (kPriorSd * kPriorSd);
    }
    for (std::size_t i = 0; i < size; ++i) m[i][i] += damping * m[i][i];
    // Gauss-Jordan; the prior keeps the diagonal away from zero.
    for (std::size_t i = 0; i < size; ++i)
        for (std::size_t r = 0; r < size; ++r) {
            if (r == i) continue;
            const double factor = m[r][i] / m[i][i];
            for (std::size_t j = i; j <= size; ++j) m[r][j] -= factor * m[i][j];
        }
    std::array<double, kMaxCoefficients> by{};
    for (std::size_t i = 0; i < size; ++i) by[i] = m[i][size] / m[i][i];
    return by;
}

void LawFit::make_table(const Observations& observations, const FitSettings& settings) {
    std::vector<double> seen(static_cast<std::size_t>(observations.peak_n) + 2, 0), expected(seen.size(), 0);
    const double line = law_.a + law_.b * observations.peak_n / 2;
    for (const Observation& one : observations.list) {
        const bool decode = one.kind == Observation::Kind::decode || (one.kind == Observation::Kind::step && one.groups.empty());
        if (!decode) continue;
        const auto n = static_cast<std::size_t>(std::lround(one.n));
        const double steps = one.kind == Observation::Kind::decode ? one.tokens : 1;
        // Context is the same on both sides; what is compared is g(n) alone.
        const double context = law_.c * one.context;
        seen[n] += std::max(
            0.0, (one.seconds - (expected_seconds(law_, one, settings) - steps * (law_.a + law_.b * one.n + context))) / steps - context);
        expected[n] += law_.a + law_.b * one.n;
    }
    table_ratio_.assign(seen.size() - 1, 1);
    for (std::size_t n = 1; n < table_ratio_.size(); ++n)
        table_ratio_[n] = (seen[n] + kTablePseudo * line) / (expected[n] + kTablePseudo * line);
    // Numbers that never ran lie between those that did. (Of calls the number is a mean, and as good as any other.)
    if (observations.steps_rebuilt)
        for (std::size_t low = 1, high = 2; high < table_ratio_.size(); ++high) {
            if (expected[high] == 0) continue;
            for (std::size_t n = low + 1; n < high && expected[low] > 0; ++n)
                table_ratio_[n] =
                    std::lerp(table_ratio_[low], table_ratio_[high], static_cast<double>(n - low) / static_cast<double>(high - low));
            low = high;
        }
    law_ = moved({});
}

void LawFit::descend(const Observations& observations, const FitSettings& settings) {
    double now = cost(law_, observations, settings);
    double damping = 1e-3;
    for (int i = 0; i < kMaxIterations && damping < 1e6; ++i) {
        linearise(observations, settings);
        const StepLaw next = moved(solve({}, damping));
        const double then = cost(next, observations, settings);
        if (then >= now) {
            damping *= 8;
            continue;
        }
        const bool done = then > now * (1 - 1e-5);
        law_ = next;
        now = then;
        damping = std::max(1e-6, damping / 5);
        if (done) break;
    }
}

Result<LawFit> LawFit::fit(LawForm form, const Observations& observations, const FitSettings& settings) {
    LawFit fit;
    fit.coefficients_ = {&StepLaw::a, &StepLaw::c, &StepLaw::d};
    if (!observations.steps_rebuilt) fit.coefficients_.push_back(&StepLaw::ingest);
    if (form != LawForm::roofline) fit.coefficients_.push_back(&StepLaw::b);
    if (form == LawForm::table && observations.steps_rebuilt)
        for (const auto more : {&StepLaw::prompt_a, &StepLaw::prompt_b, &StepLaw::e}) fit.coefficients_.push_back(more);
    constexpr std::size_t kPerCoefficient = 5;
    if (observations.list.size() < kPerCoefficient * fit.coefficients_.size())
        return fail(ErrorCode::invalid_argument, "too few model calls to learn how fast the server is");
    fit.law_ = fit.start_ = first_guess(form, observations);
    fit.law_ = fit.moved({});
    // Scales are renewed outside, so that the inner steps compare like with like.
    for (int round = 0; round < kScaleRounds; ++round) {
        fit.set_scales(observations, settings);
        fit.descend(observations, settings);
    }
    const auto measure_misfit = [&] {
        fit.linearise(observations, settings);
        double sum = 0, count = 0;
        for (std::size_t i = 0; i < fit.rows_.size(); ++i) {
            if (observations.list[i].kind == Observation::Kind::first_token) continue;
            sum += std::log1p(fit.rows_[i].residual * fit.rows_[i].residual / kTailFreedom);
            count += 1;
        }
        fit.misfit_ = count > 0 ? sum / count : 0;
    };
    measure_misfit();
    if (form == LawForm::table) fit.make_table(observations, settings);
    if (observations.steps_rebuilt) fit.law_.ingest = ingest_seconds(fit.law_, observations, settings);
    fit.linearise(observations, settings);
    // A table of few calls would always look like the better fit; one of thousands of steps earned it.
    if (observations.steps_rebuilt) measure_misfit();
    return fit;
}

StepLaw LawFit::resampled(std::span<const double> cluster_weight) const {
    // Two solutions from the same point, so that what keeps the fit from a zero gradient (Huber's rule, the table) cancels.
    const auto drawn = solve(cluster_weight, 0), all = solve({}, 0);
    std::array<double, kMaxCoefficients> by{};
    for (std::size_t k = 0; k < coefficients_.size(); ++k) by[k] = drawn[k] - all[k];
    return moved(by);
}

}  // namespace plimsoll::forecast
