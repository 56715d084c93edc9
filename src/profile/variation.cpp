#include "profile/variation.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

// Seconds. Below it differences of runtimes are rounding of the clock.
constexpr double kLeastSd = 1e-6;

Spread make_spread(const std::vector<double>& values) { return {mean(values), population_sd(values)}; }

json::value to_json(const Spread& spread) { return {{"mean", spread.mean}, {"sd", spread.sd}, {"cv", spread.cv()}}; }

std::vector<StepVariance> explain(const RunGraph& graph, const CriticalPaths& paths, const std::vector<std::size_t>& sessions,
                                  const Spread& runtime) {
    struct Sums {
        double x = 0, xx = 0, xr = 0;
    };
    std::vector<Sums> sums(graph.steps.size());
    for (const std::size_t session : sessions) {
        const double deviation = graph.sessions[session].runtime() - runtime.mean;
        for (const auto& [step, seconds] : paths.steps_of(session)) {
            sums[step].x += seconds;
            sums[step].xx += seconds * seconds;
            sums[step].xr += seconds * deviation;
        }
    }
    const auto n = static_cast<double>(sessions.size());
    std::vector<StepVariance> steps;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        if (sums[i].x <= 0) continue;
        const double average = sums[i].x / n;
        const double variance = std::max(0.0, sums[i].xx / n - average * average);
        steps.push_back({graph.steps[i], sums[i].xr / n / (runtime.sd * runtime.sd), std::sqrt(variance) / average});
    }
    std::ranges::stable_sort(steps, std::greater(), &StepVariance::share);
    return steps;
}

}  // namespace

Variation compute_variation(const RunGraph& graph, const CriticalPaths& paths) {
    std::vector<std::size_t> sessions;
    std::vector<double> runtimes, tokens, llm_calls, calls;
    for (std::size_t i = 0; i < graph.sessions.size(); ++i) {
        const SessionRow& session = graph.sessions[i];
        if (session.calls == 0) continue;
        sessions.push_back(i);
        runtimes.push_back(session.runtime());
        double session_tokens = 0, llm = 0, all = 0;
        for (const Call& call : graph.calls_of(session)) {
            session_tokens += static_cast<double>(graph.usage_of(call).prompt_tokens + graph.usage_of(call).completion_tokens);
            llm += call.category == event::Category::llm ? 1 : 0;
            all += is_call(call.category) ? 1 : 0;
        }
        tokens.push_back(session_tokens);
        llm_calls.push_back(llm);
        calls.push_back(all);
    }
    Variation variation{.sessions = sessions.size(),
                        .runtime = make_spread(runtimes),
                        .tokens = make_spread(tokens),
                        .llm_calls = make_spread(llm_calls),
                        .calls = make_spread(calls),
                        .steps = {}};
    if (variation.runtime.sd > kLeastSd) variation.steps = explain(graph, paths, sessions, variation.runtime);
    return variation;
}

json::value to_json(const Variation& variation) {
    json::array steps;
    const std::size_t listed = std::min(variation.steps.size(), kMaxListedSteps);
    for (std::size_t i = 0; i < listed; ++i) {
        const StepVariance& step = variation.steps[i];
        steps.push_back({{"step", to_string(step.step)}, {"variance_share", step.share}, {"path_cv", step.path_cv}});
    }
    return {{"sessions", variation.sessions},
            {"runtime", to_json(variation.runtime)},
            {"tokens", to_json(variation.tokens)},
            {"llm_calls", to_json(variation.llm_calls)},
            {"calls", to_json(variation.calls)},
            {"steps", std::move(steps)},
            {"steps_left_out", variation.steps.size() - listed}};
}

}  // namespace plimsoll::profile
