#include "forecast/replica_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "forecast/uncertainty.h"

namespace plimsoll::forecast {
namespace {

// Bootstraps of the search, and the draws of each.
constexpr int kMostChecks = 6, kCheckDraws = 24;
// What everything but the discrepancy usually adds to it, until a bootstrap tells.
constexpr double kUsualSpread = 0.04;
constexpr double kNormal95 = 1.645;
// Replica counts nearer to each other than this share are the same answer.
constexpr int kResolution = 64;

class ReplicaSearch {
  public:
    ReplicaSearch(const FittedModel& model, const Player& player, const ForecastRequest& request, const Target& target, int users)
        : model_(model), player_(player), request_(request), target_(target), most_(std::max(1, users)) {}

    Result<ReplicaAnswer> run() {
        ReplicaAnswer answer;
        const auto expected = smallest(1);
        if (!expected) return fail(expected.error());
        answer.expected = *expected;
        if (!answer.expected) {
            // A replica a user is as good as no queueing at the model at all.
            const auto unqueued = checked_upper(most_);
            if (!unqueued) return fail(unqueued.error());
            answer.reason = reason(*unqueued);
            return answer;
        }
        const auto replicas = search();
        if (!replicas) return fail(replicas.error());
        answer.replicas = *replicas;
        if (!answer.replicas) answer.reason = reason(upper_at_most_);
        return answer;
    }

    Result<std::vector<ReplicaPromise>> sweep() const {
        std::vector<ReplicaPromise> promises;
        const double measured = static_cast<double>(model_.recording().max_concurrency()) / model_.limits().front().replicas;
        const int fewest = std::max(1, static_cast<int>(most_ / (kSweepOverload * measured)));
        for (int replicas = fewest; promises.size() < kMaxSweep; replicas += std::max(1, replicas % 3 == 0 ? replicas / 3 : replicas / 2)) {
            replicas = std::min(replicas, most_);
            const auto upper = checked_upper(replicas);
            if (!upper) return fail(upper.error());
            const bool flat = !promises.empty() && *upper > (1 - kFlatSweep) * promises.back().p95;
            promises.push_back({replicas, *upper});
            if (flat || replicas == most_) break;
        }
        return promises;
    }

  private:
    double target_seconds() const { return request_.slo->seconds; }
    double value_of(const Played& played) const {
        return request_.slo && request_.slo->metric == Slo::Metric::llm ? played.call_p95 : played.p95;
    }

    Target with_replicas(int replicas) const {
        Target out = target_;
        out.replicas = replicas;
        return out;
    }

    Result<double> value_at(int replicas) {
        if (const auto known = values_.find(replicas); known != values_.end()) return known->second;
        const auto played = player_.play_best(with_replicas(replicas), sessions_for(most_, true));
        if (!played) return fail(played.error());
        return values_[replicas] = value_of(*played);
    }

    // The upper end of the 90 % interval.
    Result<double> checked_upper(int replicas) const {
        const auto draws = player_.bootstrap(with_replicas(replicas), std::min(kCheckDraws, request_.draws));
        if (!draws) return fail(draws.error());
        std::vector<double> values;
        for (const Played& draw : *draws) values.push_back(value_of(draw));
        return spread_draws(0, values, discrepancy(model_, most_, replicas), request_.seed).interval.high;
    }

    // The smallest number of replicas with which p95 times `spread` meets the target; nothing when not even a replica a user does.
    Result<std::optional<int>> smallest(double spread) {
        int low = 0, high = 1;
        for (;; low = high, high = std::min(most_, high * 2)) {
            const auto value = value_at(high);
            if (!value) return fail(value.error());
            if (*value * spread <= target_seconds()) break;
            if (high == most_) return std::nullopt;
        }
        while (high - low > std::max(1, high / kResolution)) {
            const int middle = low + (high - low) / 2;
            const auto value = value_at(middle);
            if (!value) return fail(value.error());
            (*value * spread <= target_seconds() ? high : low) = middle;
        }
        return high;
    }

    // Each bootstrap tells how far the upper bound lies above the value there, and with that where to look next.
    Result<std::optional<int>> search() {
        int fails = 0, holds = 0;  // 0: none seen
        double spread = std::exp(kNormal95 * std::hypot(discrepancy(model_, most_, 1), kUsualSpread));
        for (int check = 0; check < kMostChecks; ++check) {
            const auto guess = smallest(spread);
            if (!guess) return fail(guess.error());
            int replicas = guess->value_or(most_);
            if (holds > 0) replicas = std::min(replicas, holds - 1);
            if (replicas <= fails) replicas = holds > 0 ? fails + (holds - fails) / 2 : std::min(most_, fails + std::max(1, fails / 8));
            const auto upper = checked_upper(replicas);
            if (!upper) return fail(upper.error());
            (*upper <= target_seconds() ? holds : fails) = replicas;
            if (replicas == most_) upper_at_most_ = *upper;
            if (fails == most_) return std::nullopt;
            if (holds > 0 && holds - fails <= std::max(1, holds / kResolution)) return holds;
            const auto value = value_at(replicas);
            if (!value) return fail(value.error());
            spread = *upper / *value;
        }
        if (holds > 0) return holds;
        const auto upper = checked_upper(most_);
        if (!upper) return fail(upper.error());
        upper_at_most_ = *upper;
        return *upper <= target_seconds() ? std::optional(most_) : std::nullopt;
    }

    std::string reason(double upper) const {
        return fmt::format("no number of replicas brings the upper bound below {:g} s: with one a user it is {:.3g} s{}", target_seconds(),
                           upper, possible_tool_bounds());
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
    int most_;                      // replicas that are tried: one a user
    std::map<int, double> values_;  // p95 by replicas
    double upper_at_most_ = 0;
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
