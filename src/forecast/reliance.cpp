#include "forecast/reliance.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "forecast/capacity.h"

namespace plimsoll::forecast {
namespace {

// A play of the measured load itself peaks this much higher at times: what the traces show of the peak is a mean over replicas and
// leaves calls out that read their prompt.
constexpr double kBeyond = 1.25;
// A server with less free memory than this share takes no call more.
constexpr double kMemoryReached = 0.9;

std::string limit_text(double limit) { return limit >= static_cast<double>(kUnlimited) ? "unlimited" : fmt::format("{:.0f}", limit); }

}  // namespace

std::vector<std::string> untested_limits(const FittedModel& model, const Played& played) {
    std::vector<std::string> out;
    for (std::size_t e = 0; e < model.limits().size(); ++e) {
        const ResolvedLimits& limits = model.limits()[e];
        const auto& peak = played.details.endpoints[e];
        const std::string& name = model.recording().names.models[e];
        if (static_cast<double>(peak.peak_sequences) > kBeyond * limits.places_reached) out.push_back(name + ".max_num_seqs");
        if (static_cast<double>(peak.peak_tokens) > kBeyond * limits.memory_reached) out.push_back(name + ".kv_tokens");
    }
    for (std::size_t t = 0; t < model.tools().size(); ++t)
        if (played.details.tool_peak[t] > kBeyond * std::max(1, model.tools()[t].peak)) out.push_back(model.recording().names.tools[t]);
    return out;
}

std::vector<std::string> unknown_limits(const FittedModel& model) {
    std::vector<std::string> out;
    for (std::size_t e = 0; e < model.limits().size(); ++e) {
        const std::string& name = model.recording().names.models[e];
        if (!model.limits()[e].places_known()) out.push_back(name + ".max_num_seqs");
        if (!model.limits()[e].memory_known()) out.push_back(name + ".kv_tokens");
    }
    return out;
}

Result<double> p95_under(const FittedModel& model, const Player& player, const Target& target, LimitGuess guess, std::uint64_t seed) {
    if (target.rate) {
        const auto capacity = find_capacity(model, player, guess, seed);
        if (!capacity) return fail(capacity.error());
        if (capacity->saturated && *target.rate > capacity->sessions_per_second) return std::numeric_limits<double>::infinity();
    }
    const auto played = player.play_best(target, sessions_for(target.users, false), guess);
    if (!played) return fail(played.error());
    return played->overloaded ? std::numeric_limits<double>::infinity() : played->p95;
}

std::vector<std::string> warn_of_limits(const FittedModel& model) {
    std::vector<std::string> out;
    for (std::size_t e = 0; e < model.limits().size(); ++e) {
        const ResolvedLimits& limits = model.limits()[e];
        const std::string& name = model.recording().names.models[e];
        if (!limits.unknown.empty()) out.push_back(fmt::format("{}: unknown: {}", name, fmt::join(limits.unknown, ", ")));
        if (limits.places_known() && limits.places_reached < limits.places_low)
            out.push_back(
                fmt::format("{}: max_num_seqs {} was never reached (at most {:.0f} calls a replica at once); the forecast relies on it",
                            name, limit_text(limits.places_low), limits.places_reached));
        if (limits.memory_known() && limits.memory_reached < kMemoryReached * limits.memory_low)
            out.push_back(fmt::format("{}: kv_tokens {} was never reached (at most {:.0f}); the forecast relies on it", name,
                                      limit_text(limits.memory_low), limits.memory_reached));
    }
    for (std::size_t t = 0; t < model.tools().size(); ++t) {
        const ToolPoolFit& pool = model.tools()[t];
        if (pool.uses > 0 && pool.sizes.front().servers == 0)
            out.push_back(fmt::format("tool {}: no bound seen with up to {} uses at once; none is assumed beyond",
                                      model.recording().names.tools[t], pool.peak));
    }
    return out;
}

}  // namespace plimsoll::forecast
