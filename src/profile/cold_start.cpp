#include "profile/cold_start.h"

#include <algorithm>
#include <cmath>

#include "base/stats.h"

namespace plimsoll::profile {
namespace {

constexpr double kMadToSd = 1.4826;  // of a normal distribution
constexpr double kDeviations = 3;
constexpr double kLeastFactor = 1.2;

}  // namespace

ColdStart detect_cold_start(const RunGraph& graph) {
    std::vector<const SessionRow*> sessions;
    for (const SessionRow& session : graph.sessions)
        if (session.calls > 0) sessions.push_back(&session);
    if (sessions.size() < kMinColdStartSessions) return {};
    std::ranges::stable_sort(sessions, {}, &SessionRow::first_call_start);

    const std::size_t half = sessions.size() / 2;
    std::vector<double> warm, deviations;
    for (std::size_t i = half; i < sessions.size(); ++i) warm.push_back(sessions[i]->runtime());
    ColdStart cold{.judged = true, .warm_median = percentile(warm, 50)};
    for (const double runtime : warm) deviations.push_back(std::abs(runtime - cold.warm_median));
    cold.slow_above = std::max(cold.warm_median + kDeviations * kMadToSd * percentile(deviations, 50), kLeastFactor * cold.warm_median);

    double total = 0;
    while (cold.sessions < half && sessions[cold.sessions]->runtime() > cold.slow_above) total += sessions[cold.sessions++]->runtime();
    if (cold.sessions == 0) return cold;
    cold.cold_mean = total / static_cast<double>(cold.sessions);
    cold.extra_seconds = total - static_cast<double>(cold.sessions) * cold.warm_median;
    return cold;
}

json::value to_json(const ColdStart& cold) {
    if (!cold.judged) return nullptr;
    return {{"sessions", cold.sessions},
            {"warm_median", cold.warm_median},
            {"slow_above", cold.slow_above},
            {"cold_mean", cold.cold_mean},
            {"extra_seconds", cold.extra_seconds}};
}

}  // namespace plimsoll::profile
