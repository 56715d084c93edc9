#include "forecast/capacity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace plimsoll::forecast {
namespace {

// More sessions than this share says that the network still has room.
constexpr double kStillGrows = 1.03;
constexpr int kMostUsers = 1 << 27;  // beyond all users that a forecast takes
constexpr std::size_t kLeastSessions = 300, kSessionsAlone = 100;

std::string name_bottleneck(const FittedModel& model, const Played& played, bool saturated) {
    constexpr double kBusy = 0.9, kOften = 0.3;
    const NetworkResult& result = played.details;
    for (std::size_t t = 0; t < played.tool_servers.size(); ++t)
        if (played.tool_servers[t] > 0 && result.tool_busy[t] > kBusy * played.tool_servers[t])
            return fmt::format("tool {}: {} at once", model.recording().names.tools[t], played.tool_servers[t]);
    std::size_t busiest = 0;
    for (std::size_t e = 1; e < result.endpoints.size(); ++e)
        if (result.endpoints[e].busy_share > result.endpoints[busiest].busy_share) busiest = e;
    const auto& endpoint = result.endpoints[busiest];
    const std::string& name = model.recording().names.models[busiest];
    if (endpoint.full_memory_share > kOften || endpoint.preemptions > 0) return fmt::format("model {}: KV memory", name);
    if (endpoint.full_slots_share > kOften) return fmt::format("model {}: max_num_seqs", name);
    if (saturated || endpoint.busy_share > kBusy) return fmt::format("model {}: batch steps", name);
    return fmt::format("none found up to {} users", kMostUsers);
}

}  // namespace

Result<Capacity> find_capacity(const FittedModel& model, const Player& player, LimitGuess guess, std::uint64_t seed) {
    const Choice choice = with_limits(model.best_choice(model.heaviest_form()), guess);
    const auto alone = player.play_once(choice, {1, std::nullopt, 0}, kSessionsAlone, seed, false);
    if (!alone) return fail(alone.error());
    Capacity out;
    for (int users = std::max(8, model.recording().max_concurrency());; users *= 2) {
        const auto sessions = std::max(kLeastSessions, sessions_for(users, false) / 2);
        const auto played = player.play_once(choice, {users, std::nullopt, 0}, sessions, seed, false);
        if (!played) return fail(played.error());
        const bool grows = played->sessions_per_second > out.sessions_per_second * kStillGrows;
        out.sessions_per_second = std::max(out.sessions_per_second, played->sessions_per_second);
        if (grows && users <= kMostUsers / 2) continue;
        out.saturated = !grows;
        out.bottleneck = name_bottleneck(model, *played, out.saturated);
        break;
    }
    out.knee_users = static_cast<int>(std::lround((alone->mean + player.think_time()) * out.sessions_per_second));
    return out;
}

}  // namespace plimsoll::forecast
