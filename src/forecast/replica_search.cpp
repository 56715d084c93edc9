#include "forecast/replica_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "forecast/uncertainty.h"

namespace plimsoll::forecast {
namespace {

// Numbers of replicas above the first guess that get a bootstrap, and its draws.
constexpr int kMoreChecks = 4, kCheckDraws = 24;
// What everything but the discrepancy usually adds to it, in the bisection.
constexpr double kUsualSpread = 0.05;
constexpr double kNormal95 = 1.645;

class ReplicaSearch {
  public:
    ReplicaSearch(const FittedModel& model, const Player& player, const ForecastRequest& request, const Target& target, int users)
        : model_(model),
          player_(player),
          request_(request),
          target_(target),
          users_(std::max(1, users)),
          choice_(model.best_choice(model.heaviest_form())) {}

    Result<ReplicaAnswer> run() {
        // A replica a user is as good as no queueing at the model at all.
        auto unqueued = usual_upper(users_);
        if (!unqueued) return fail(unqueued.error());
        if (*unqueued > request_.slo->seconds) return none(*unqueued);
        auto guess = bisect();
        if (!guess) return fail(guess.error());
        const auto at_guess = checked_upper(*guess);
        if (!at_guess) return fail(at_guess.error());
        if (*at_guess <= request_.slo->seconds) return ReplicaAnswer{*guess, {}};
        unqueued = checked_upper(users_);
        if (!unqueued) return fail(unqueued.error());
        if (*unqueued > request_.slo->seconds) return none(*unqueued);
        return search_above(*guess);
    }

    Result<std::vector<ReplicaPromise>> sweep() const {
        std::vector<ReplicaPromise> promises;
        for (int replicas = 1; promises.size() < kMaxSweep; replicas += std::max(1, replicas % 3 == 0 ? replicas / 3 : replicas / 2)) {
            replicas = std::min(replicas, users_);
            const auto upper = checked_upper(replicas);
            if (!upper) return fail(upper.error());
            const bool flat = !promises.empty() && *upper > (1 - kFlatSweep) * promises.back().p95;
            promises.push_back({replicas, *upper});
            if (flat || replicas == users_) break;
        }
        return promises;
    }

  private:
    double value_of(const Played& played) const {
        return request_.slo && request_.slo->metric == Slo::Metric::llm ? played.call_p95 : played.p95;
    }

    Target with_replicas(int replicas) const {
        Target out = target_;
        out.replicas = replicas;
        return out;
    }

    Result<double> usual_upper(int replicas) const {
        const auto played = player_.play_once(choice_, with_replicas(replicas),
                                              sessions_for(std::min(users_, Player::kMaxPlayedUsers), false), request_.seed, false);
        if (!played) return fail(played.error());
        return value_of(*played) * std::exp(kNormal95 * std::hypot(discrepancy(model_, users_, replicas), kUsualSpread));
    }

    Result<double> checked_upper(int replicas) const {
        const auto draws = player_.bootstrap(with_replicas(replicas), std::min(kCheckDraws, request_.draws));
        if (!draws) return fail(draws.error());
        std::vector<double> values;
        for (const Played& draw : *draws) values.push_back(value_of(draw));
        return spread_draws(0, values, discrepancy(model_, users_, replicas), request_.seed).interval.high;
    }

    Result<int> bisect() const {
        int low = 0, high = 1;
        for (;; low = high, high = std::min(users_, high * 2)) {
            const auto upper = usual_upper(high);
            if (!upper) return fail(upper.error());
            if (*upper <= request_.slo->seconds || high == users_) break;
        }
        while (high - low > 1) {
            const int middle = low + (high - low) / 2;
            const auto upper = usual_upper(middle);
            if (!upper) return fail(upper.error());
            (*upper <= request_.slo->seconds ? high : low) = middle;
        }
        return high;
    }

    Result<ReplicaAnswer> search_above(int replicas) const {
        const int stride = std::max(1, replicas / 8);
        for (int i = 0; i < kMoreChecks; ++i) {
            replicas = std::min(users_, replicas + stride);
            const auto upper = checked_upper(replicas);
            if (!upper) return fail(upper.error());
            if (*upper <= request_.slo->seconds) return ReplicaAnswer{replicas, {}};
        }
        return ReplicaAnswer{std::nullopt,
                             fmt::format("between {} and {} replicas; the upper bound falls too slowly to say", replicas + 1, users_)};
    }

    ReplicaAnswer none(double upper) const {
        return {std::nullopt, fmt::format("no number of replicas brings the upper bound below {:g} s: with one a user it is {:.3g} s{}",
                                          request_.slo->seconds, upper, possible_tool_bounds())};
    }

    std::string possible_tool_bounds() const {
        std::string out;
        for (std::size_t t = 0; t < model_.tools().size(); ++t) {
            int least = 0, most = 0;
            for (const PoolSize& size : model_.tools()[t].sizes) {
                if (size.servers == 0) continue;
                least = least == 0 ? size.servers : std::min(least, size.servers);
                most = std::max(most, size.servers);
            }
            if (most > 0)
                out +=
                    fmt::format("; tool {} may allow no more than {} to {} uses at once", model_.recording().names.tools[t], least, most);
        }
        return out;
    }

    const FittedModel& model_;
    const Player& player_;
    const ForecastRequest& request_;
    Target target_;
    int users_;
    Choice choice_;
};

}  // namespace

Result<ReplicaAnswer> find_replicas(const FittedModel& model, const Player& player, const ForecastRequest& request, const Target& target,
                                    int users) {
    return ReplicaSearch(model, player, request, target, users).run();
}

Result<std::vector<ReplicaPromise>> sweep_replicas(const FittedModel& model, const Player& player, const ForecastRequest& request,
                                                   const Target& target, int users) {
    return ReplicaSearch(model, player, request, target, users).sweep();
}

}  // namespace plimsoll::forecast
