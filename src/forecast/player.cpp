#include "forecast/player.h"

#include <algorithm>
#include <cmath>

#include "forecast/cells.h"

namespace plimsoll::forecast {
namespace {

// A p95 of n sessions has a relative error of about 2/sqrt(n) times the tail's slope: 400 a draw, 1,500 for the value itself.
constexpr std::size_t kDrawSessions = 400, kValueSessions = 1500;

// A network that cannot be cut is played with this many users at most, four times more at a time until it is saturated.
constexpr double kMostWhole = 24'000, kMoreUsers = 4;
// A resource is the bottleneck when it is busy this share of the time, of which some is the start.
constexpr double kSaturated = 0.9;
// An open network's replicas and tools hold about so many sessions at most, as a multiple of those that run when nobody waits.
constexpr double kOpenCrowd = 3;

bool is_model_saturated(const NetworkResult& result) {
    return std::ranges::any_of(result.endpoints, [](const auto& endpoint) { return endpoint.busy_share > kSaturated; });
}

bool is_saturated(const NetworkModel& network, const NetworkResult& result) {
    if (is_model_saturated(result)) return true;
    for (std::size_t t = 0; t < network.tool_servers.size(); ++t)
        if (network.tool_servers[t] > 0 && result.tool_busy[t] > kSaturated * network.tool_servers[t]) return true;
    return false;
}

}  // namespace

std::size_t sessions_for(int users, bool thorough) {
    const auto by_users = static_cast<std::size_t>(std::min<double>(users, kMostUncut)) * (thorough ? 4 : 2);
    return std::max(thorough ? kValueSessions : kDrawSessions, by_users);
}

Player::Player(const FittedModel& model, const ForecastRequest& request)
    : model_(model), request_(request), think_time_(request.think_time.value_or(model.recording().think_time)) {}

NetworkModel Player::make_network(const Choice& choice, const Target& target) const {
    NetworkModel network = model_.make_network(choice);
    network.cache_hit_rate = request_.cache_hit_rate;
    for (std::size_t e = 0; e < network.endpoints.size(); ++e) {
        EndpointModel& endpoint = network.endpoints[e];
        if (const auto other = request_.machines.find(model_.recording().names.models[e]); other != request_.machines.end()) {
            endpoint.law = other->second.law;
            endpoint.limits = other->second.limits;
        }
        endpoint.law.decode_scale *= request_.step_scale;
        endpoint.law.prompt_scale *= request_.step_scale;
        if (request_.replicas) endpoint.replicas = *request_.replicas;
        if (target.replicas > 0) endpoint.replicas = target.replicas;
    }
    return network;
}

Result<NetworkResult> Player::play_users(const NetworkModel& network, double users, std::optional<double> rate, std::size_t sessions,
                                         Random& random, std::uint64_t seed, bool resample) const {
    Load load;
    load.users = static_cast<int>(std::lround(users));
    load.think_time = think_time_;
    load.rate = rate;
    load.stagger = rate ? 0 : model_.mean_session_seconds() + think_time_;
    load.counted = sessions;
    load.warm_up = rate ? sessions / 2 : static_cast<std::size_t>(load.users) + static_cast<std::size_t>(load.users) / 2;
    load.order = model_.draw_order(std::min<std::size_t>(load.warm_up + load.counted, 8192), random, resample);
    load.seed = seed;
    return play(network, load);
}

Result<Played> Player::play_once(const Choice& choice, const Target& target, std::size_t sessions, std::uint64_t seed,
                                 bool resample) const {
    Random random(seed);
    const double users = target.rate ? kOpenCrowd * *target.rate * model_.mean_session_seconds() : std::max(1, target.users);
    Cell cell = cut_network(make_network(choice, target), std::max(1.0, users), model_.most_calls());
    std::optional<double> rate;
    if (target.rate) rate = *target.rate / cell.scale;
    double played_users = cell.whole && !rate ? std::min(cell.users, kMostUncut) : cell.users;
    auto result = play_users(cell.network, played_users, rate, sessions, random, seed, resample);
    while (result && !rate && played_users < std::min(cell.users, kMostWhole) && !is_saturated(cell.network, *result)) {
        played_users = std::min({kMoreUsers * played_users, cell.users, kMostWhole});
        result = play_users(cell.network, played_users, rate, sessions, random, seed, resample);
    }
    if (!result) return fail(result.error());
    Played played;
    played.p95 = result->p95();
    played.call_p95 = result->call_p95();
    played.mean = result->mean();
    played.sessions_per_second = result->sessions_per_second * cell.scale;
    played.overloaded = result->overloaded;
    if (!rate && played_users < cell.users && result->sessions_per_second > 0) {
        // So far beyond the knee the bottleneck sets the mean, R = N/X - Z, and every wait in its queue grows alike.
        const auto mean_of = [&](double n) { return std::max(1e-9, n / result->sessions_per_second - think_time_); };
        const double longer = std::max(1.0, mean_of(cell.users) / mean_of(played_users));
        played.p95 *= longer;
        played.mean *= longer;
        if (is_model_saturated(*result)) played.call_p95 *= longer;
    }
    played.details = std::move(*result);
    played.tool_servers = std::move(cell.network.tool_servers);
    return played;
}

Choice with_limits(Choice choice, LimitGuess guess) {
    choice.places_share = choice.memory_share = guess == LimitGuess::lowest_unknown ? 0 : 1;
    choice.only_reached = guess == LimitGuess::only_reached;
    return choice;
}

Result<std::vector<Played>> Player::play_forms(const Target& target, std::size_t sessions, LimitGuess guess) const {
    std::vector<Played> played;
    for (const FormFit& form : model_.forms()) {
        const Choice choice = with_limits(model_.best_choice(form), guess);
        auto one = play_once(choice, target, sessions, request_.seed, false);
        if (!one) return fail(one.error());
        played.push_back(std::move(*one));
    }
    return played;
}

Result<double> Player::p95(int users) const {
    auto played = play_best({users, std::nullopt, 0}, sessions_for(users, true));
    if (!played) return fail(played.error());
    return played->p95;
}

Result<double> Player::measurement_p95(int users, std::size_t sessions) const {
    Load load;
    load.users = users;
    load.think_time = think_time_;
    load.runs_out = true;
    load.warm_up = std::min(static_cast<std::size_t>(users), sessions - 1);
    load.counted = sessions - load.warm_up;
    const std::size_t times = std::max<std::size_t>(1, kValueSessions / sessions);
    Random random(request_.seed);
    double sum = 0;
    for (const FormFit& form : model_.forms()) {
        const NetworkModel network = make_network(model_.best_choice(form), {users, std::nullopt, 0});
        for (std::size_t i = 0; i < times; ++i) {
            load.order = model_.draw_order(sessions, random, false);
            load.seed = request_.seed + i;
            const auto played = play(network, load);
            if (!played) return fail(played.error());
            sum += form.weight / static_cast<double>(times) * std::log(std::max(1e-9, played->p95()));
        }
    }
    return std::exp(sum);
}

Played combine(const std::vector<Played>& played, const std::vector<FormFit>& forms) {
    Played out;
    std::size_t heaviest = 0;
    double p95 = 0, call_p95 = 0, mean = 0, rate = 0;
    for (std::size_t i = 0; i < played.size(); ++i) {
        const double weight = forms[i].weight;
        if (weight > forms[heaviest].weight) heaviest = i;
        p95 += weight * std::log(std::max(1e-9, played[i].p95));
        call_p95 += weight * std::log(std::max(1e-9, played[i].call_p95));
        mean += weight * std::log(std::max(1e-9, played[i].mean));
        rate += weight * played[i].sessions_per_second;
        out.overloaded = out.overloaded || played[i].overloaded;
    }
    out.p95 = std::exp(p95);
    out.call_p95 = std::exp(call_p95);
    out.mean = std::exp(mean);
    out.sessions_per_second = rate;
    out.details = played[heaviest].details;
    return out;
}

Result<Played> Player::play_best(const Target& target, std::size_t sessions, LimitGuess guess) const {
    const auto played = play_forms(target, sessions, guess);
    if (!played) return fail(played.error());
    return combine(*played, model_.forms());
}

Result<std::vector<Played>> Player::bootstrap(const Target& target, int draws) const {
    std::vector<Played> out;
    for (int i = 0; i < draws; ++i) {
        // The same seed a draw at every target: intervals at neighbouring targets then lie alike.
        const std::uint64_t seed = request_.seed * 1'000'003 + static_cast<std::uint64_t>(i);
        Random random(seed);
        const Choice choice = model_.draw_choice(random);
        auto one = play_once(choice, target, sessions_for(target.users, false), seed, true);
        if (!one) return fail(one.error());
        one->details = {};
        out.push_back(std::move(*one));
    }
    return out;
}

}  // namespace plimsoll::forecast
