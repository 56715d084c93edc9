#include "forecast/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/stats.h"
#include "forecast/linear_fit.h"
#include "forecast/player.h"

namespace plimsoll::forecast {
namespace {

// A model of a server is never better than this (spread of repeated real measurements), as a standard deviation of log p95.
constexpr double kLeastDiscrepancy = 0.05;
// What each doubling beyond the highest measured concurrency adds.
constexpr double kDiscrepancyPerDoubling = 0.012;
// Unknown limits that move p95 by more than this leave no answer worth giving.
constexpr double kMaxUnknownSpread = 1.25;
// A played measurement this far from the real one means that the model misses something.
constexpr double kPoorMatch = 0.06, kNoMatch = 0.15;
// Sessions of the held-out level played so much too fast: something slows them down that neither the lower levels nor the
// stated limits show, and it will slow them down more.
constexpr double kHiddenLimit = 0.10;
constexpr double kLow = 5, kHigh = 95;  // percentiles of the 90 % interval

double standard_normal(Random& random) {
    return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(6.283185307179586 * random.uniform());
}

// Draws of p95 with the model's own discrepancy on top.
ForecastInterval make_interval(double value, std::vector<double> draws, double discrepancy, std::uint64_t seed,
                               std::vector<double>* widened = nullptr) {
    // Each draw stands for several, so that the discrepancy's tails are even.
    constexpr int kCopies = 16;
    Random random(seed);
    std::vector<double> all;
    for (const double draw : draws)
        for (int i = 0; i < kCopies; ++i) all.push_back(draw * std::exp(discrepancy * standard_normal(random)));
    std::ranges::sort(all);
    const ForecastInterval interval{value, std::min(value, sorted_percentile(all, kLow)), std::max(value, sorted_percentile(all, kHigh))};
    if (widened) *widened = std::move(all);
    return interval;
}

class Forecaster {
  public:
    Forecaster(const Recording& recording, const FittedModel& model, const ForecastRequest& request)
        : recording_(recording), model_(model), request_(request), player_(model, request) {}

    Result<ForecastResult> run(std::optional<HoldOut> held_out) {
        out_.held_out = held_out;
        out_.rate = request_.rate;
        out_.warnings = model_.warnings();
        add_forms();
        judge_match();
        PLIMSOLL_TRY(find_capacity());
        if (request_.rate) {
            PLIMSOLL_TRY(add_target({0, request_.rate, 0}));
        } else {
            for (const int users : request_.users) PLIMSOLL_TRY(add_target({users, std::nullopt, 0}));
        }
        add_nat_linear();
        choose_next();
        warn_of_unreached_limits();
        return std::move(out_);
    }

    Result<double> predict_p95(int concurrency) {
        auto played = player_.play_best({concurrency, std::nullopt, 0}, sessions_for(concurrency, true));
        if (!played) return fail(played.error());
        return played->p95;
    }

  private:
    int max_measured() const { return recording_.max_concurrency(); }

    void refuse(const std::string& reason) {
        if (!out_.refused) out_.refused = reason;
    }

    const FormFit& heaviest() const { return *std::ranges::max_element(model_.forms(), {}, &FormFit::weight); }

    void add_forms() {
        for (const FormFit& form : model_.forms()) out_.forms.push_back({form.form, form.weight, form.mismatch(), {}});
        out_.checks = heaviest().checks;
    }

    void judge_match() {
        const int top = max_measured();
        double error = 0, held_out = 0;
        for (const FormFit& form : model_.forms()) {
            error += form.weight * form.checks.back().mean_error;
            held_out += form.weight * form.held_out_error;
        }
        int most = 0;
        for (const int users : request_.users) most = std::max(most, users);
        if (std::abs(error) > kNoMatch)
            refuse(fmt::format("the model does not explain what was measured: at concurrency {} it plays sessions {:+.0f} % off", top,
                               100 * std::expm1(error)));
        else if (held_out < -kHiddenLimit && most > top)
            refuse(fmt::format(
                "something unknown slows the sessions down: fitted to the lower levels, the model plays concurrency {} {:+.0f} % "
                "off; a limit may be wrong, or one is missing",
                top, 100 * std::expm1(held_out)));
        else if (std::abs(error) > kPoorMatch)
            out_.warnings.push_back(fmt::format("at concurrency {} the model plays sessions {:+.0f} % off; the interval is widened", top,
                                                100 * std::expm1(error)));
    }

    // Sessions a second at ever more users until they no longer grow; the knee is where the two asymptotes of a closed
    // network meet: N* = (R0 + Z) X_max.
    Result<void> find_capacity() {
        constexpr double kStillGrows = 1.03;
        constexpr int kMostUsers = 1024;
        const Choice choice = model_.best_choice(heaviest());
        auto alone = player_.play_once(choice, {1, std::nullopt, 0}, 100, request_.seed, false);
        if (!alone) return fail(alone.error());
        int users = std::max(8, max_measured());
        Played last;
        for (double before = 0;; users *= 2) {
            auto played = player_.play_once(choice, {users, std::nullopt, 0}, std::max<std::size_t>(300, static_cast<std::size_t>(users)),
                                            request_.seed, false);
            if (!played) return fail(played.error());
            const bool grows = played->sessions_per_second > before * kStillGrows;
            before = std::max(before, played->sessions_per_second);
            last = std::move(*played);
            out_.capacity = before;
            if (!grows || users >= kMostUsers) {
                saturated_ = !grows;
                break;
            }
        }
        out_.knee_users = static_cast<int>(std::lround((alone->mean + player_.think_time()) * out_.capacity));
        out_.bottleneck = name_bottleneck(last.details, choice);
        return {};
    }

    std::string name_bottleneck(const NetworkResult& result, const Choice& choice) const {
        constexpr double kBusy = 0.9, kOften = 0.3;
        for (std::size_t t = 0; t < choice.tool_servers.size(); ++t)
            if (choice.tool_servers[t] > 0 && result.tool_busy[t] > kBusy * choice.tool_servers[t])
                return fmt::format("tool {}: {} at once", recording_.names.tools[t], choice.tool_servers[t]);
        std::size_t busiest = 0;
        for (std::size_t e = 1; e < result.endpoints.size(); ++e)
            if (result.endpoints[e].busy_share > result.endpoints[busiest].busy_share) busiest = e;
        const auto& endpoint = result.endpoints[busiest];
        const std::string& name = recording_.names.models[busiest];
        if (endpoint.full_memory_share > kOften || endpoint.preemptions > 0) return fmt::format("model {}: KV memory", name);
        if (endpoint.full_slots_share > kOften) return fmt::format("model {}: max_num_seqs", name);
        if (saturated_ || endpoint.busy_share > kBusy) return fmt::format("model {}: batch steps", name);
        return "none found up to 1,024 users";
    }

    // Distance is counted in users a replica: more replicas bring the load of each back towards what was measured.
    double discrepancy(double users, int replicas = 0) const {
        const int stated = request_.replicas.value_or(model_.limits().front().replicas);
        const double each = users / (replicas > 0 ? replicas : stated);
        const double measured = static_cast<double>(max_measured()) / model_.limits().front().replicas;
        const double doublings = std::max(0.0, std::log2(each / measured));
        double held_out = 0, match = 0;
        for (const FormFit& form : model_.forms()) {
            held_out += form.weight * form.held_out_error;
            match += form.weight * form.mismatch();
        }
        const double base = std::sqrt(kLeastDiscrepancy * kLeastDiscrepancy + held_out * held_out + match * match);
        return std::min(0.5, base + kDiscrepancyPerDoubling * doublings);
    }

    Result<void> add_target(const Target& target) {
        const std::size_t sessions = sessions_for(std::min(std::max(target.users, 64), Player::kMaxPlayedUsers), true);
        auto by_form = player_.play_forms(target, sessions, 1);
        if (!by_form) return fail(by_form.error());
        for (std::size_t i = 0; i < by_form->size(); ++i) out_.forms[i].p95.push_back((*by_form)[i].p95);
        const Played best = combine(*by_form, model_.forms());
        auto draws = player_.bootstrap(target, request_.draws);
        if (!draws) return fail(draws.error());
        std::vector<double> p95, call_p95;
        bool overloaded = best.overloaded;
        for (const Played& draw : *draws) {
            p95.push_back(draw.p95);
            call_p95.push_back(draw.call_p95);
            overloaded = overloaded || draw.overloaded;
        }
        UsersForecast forecast;
        forecast.users = target.rate ? static_cast<int>(std::lround(best.mean * *target.rate)) : target.users;
        const double sd = discrepancy(std::max(1, forecast.users));
        std::vector<double> workflow_draws, call_draws;
        forecast.workflow_p95 = make_interval(best.p95, p95, sd, request_.seed, &workflow_draws);
        forecast.llm_p95 = make_interval(best.call_p95, call_p95, sd, request_.seed + 1, &call_draws);
        forecast.workflow_mean = best.mean;
        forecast.sessions_per_second = best.sessions_per_second;
        overloaded = overloaded || (target.rate && saturated_ && *target.rate > out_.capacity);
        if (overloaded)
            refuse(fmt::format("{:g} sessions a second are more than the network carries ({:.3g}); queues grow without end", *target.rate,
                               out_.capacity));
        PLIMSOLL_TRY(check_support(target, best, forecast));
        if (request_.slo) {
            const auto& of_metric = request_.slo->metric == Slo::Metric::llm ? call_draws : workflow_draws;
            const auto below = std::ranges::upper_bound(of_metric, request_.slo->seconds) - of_metric.begin();
            forecast.meets_slo = static_cast<double>(below) / static_cast<double>(of_metric.size());
            PLIMSOLL_TRY(find_replicas(target, forecast));
        }
        out_.forecasts.push_back(std::move(forecast));
        return {};
    }

    // Plays with unknown limits at the lowest that the recording allows.
    Result<void> check_support(const Target& target, const Played& best, UsersForecast& forecast) {
        std::vector<std::string> unknown;
        for (std::size_t e = 0; e < model_.limits().size(); ++e) {
            const ResolvedLimits& limits = model_.limits()[e];
            if (!limits.places_known()) unknown.push_back(recording_.names.models[e] + ".max_num_seqs");
            if (!limits.memory_known()) unknown.push_back(recording_.names.models[e] + ".kv_tokens");
        }
        if (unknown.empty() || target.users <= max_measured()) return {};
        auto low = player_.play_forms(target, sessions_for(std::min(target.users, Player::kMaxPlayedUsers), false), 0);
        if (!low) return fail(low.error());
        const double worst = combine(*low, model_.forms()).p95;
        forecast.workflow_p95.high = std::max(forecast.workflow_p95.high, worst);
        if (worst <= kMaxUnknownSpread * best.p95) return {};
        forecast.supported = false;
        refuse(fmt::format(
            "{} unknown: with {} users p95 is {:.0f} s without such a limit and {:.0f} s at the lowest one that fits the measurements",
            fmt::join(unknown, " and "), target.users, best.p95, worst));
        return {};
    }

    double slo_value(const Played& played) const { return request_.slo->metric == Slo::Metric::llm ? played.call_p95 : played.p95; }

    // The smallest number of replicas whose upper bound meets the target: bisection on the best guess times the interval's
    // upper share, then a bootstrap of its own at the number found.
    Result<void> find_replicas(const Target& target, UsersForecast& forecast) {
        constexpr int kChecks = 6, kCheckDraws = 40;
        // A bootstrap of everything else usually spreads by about as much as the least discrepancy.
        constexpr double kNormal95 = 1.645;
        const auto upper_at = [&](int replicas) -> Result<double> {
            Target other = target;
            other.replicas = replicas;
            auto played = player_.play_best(other, sessions_for(std::min(target.users, Player::kMaxPlayedUsers), false));
            if (!played) return fail(played.error());
            return slo_value(*played) * std::exp(kNormal95 * std::hypot(discrepancy(forecast.users, replicas), kLeastDiscrepancy));
        };
        const auto checked_upper_at = [&](int replicas) -> Result<double> {
            Target other = target;
            other.replicas = replicas;
            auto draws = player_.bootstrap(other, std::min(kCheckDraws, request_.draws));
            if (!draws) return fail(draws.error());
            std::vector<double> values;
            for (const Played& draw : *draws) values.push_back(slo_value(draw));
            return make_interval(0, std::move(values), discrepancy(forecast.users, replicas), request_.seed).high;
        };
        // A replica a user is as good as no queueing at the model at all.
        const int most = std::max(1, forecast.users);
        auto unqueued = upper_at(most);
        if (!unqueued) return fail(unqueued.error());
        if (*unqueued > request_.slo->seconds) {
            forecast.replicas_reason =
                fmt::format("no number of replicas brings the upper bound below {:g} s: with one a user it is {:.3g} s",
                            request_.slo->seconds, *unqueued);
            return {};
        }
        int low = 0, high = 1;
        for (;; low = high, high = std::min(most, high * 2)) {
            auto upper = upper_at(high);
            if (!upper) return fail(upper.error());
            if (*upper <= request_.slo->seconds || high == most) break;
        }
        while (high - low > 1) {
            const int middle = low + (high - low) / 2;
            auto upper = upper_at(middle);
            if (!upper) return fail(upper.error());
            (*upper <= request_.slo->seconds ? high : low) = middle;
        }
        const int stride = std::max(1, high / 20);
        bool met = false;
        for (int i = 0; i < kChecks; ++i) {
            auto upper = checked_upper_at(high);
            if (!upper) return fail(upper.error());
            if (*upper <= request_.slo->seconds) {
                met = true;
                if (i == 0 && high > 1) {
                    // The bisection may have been careful; one less is tried once.
                    auto fewer = checked_upper_at(std::max(1, high - stride));
                    if (!fewer) return fail(fewer.error());
                    if (*fewer <= request_.slo->seconds) high = std::max(1, high - stride);
                }
                break;
            }
            high += stride;
        }
        if (met)
            forecast.replicas_needed = high;
        else
            forecast.replicas_reason =
                fmt::format("more than {} replicas: the upper bound stays above {:g} s", high, request_.slo->seconds);
        return {};
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
                out += fmt::format("; tool {} may allow no more than {} to {} uses at once", recording_.names.tools[t], least, most);
        }
        return out;
    }

    void add_nat_linear() {
        std::vector<FitPoint> points;
        for (const Level& level : recording_.levels) points.push_back({level.concurrency, level.p95()});
        const auto line = compute_slope(points, FitRules::nat);
        if (!line) {
            out_.warnings.push_back("NAT's linear fit gives no answer here: " + line.error().message);
            return;
        }
        for (const UsersForecast& forecast : out_.forecasts) out_.nat_linear[forecast.users] = line->at(forecast.users);
    }

    void choose_next() {
        int most = 0;
        for (const UsersForecast& forecast : out_.forecasts) most = std::max(most, forecast.users);
        const int measured = max_measured();
        if (most <= measured && !out_.refused) return;
        constexpr double kPastKnee = 1.1;
        const int past_knee = static_cast<int>(std::ceil(kPastKnee * out_.knee_users));
        const int next = past_knee > measured ? std::min(past_knee, 4 * measured) : 2 * measured;
        out_.next_concurrency = std::max(measured + 1, std::min(next, std::max(most, measured + 1)));
    }

    void warn_of_unreached_limits() {
        int most = 0;
        for (const UsersForecast& forecast : out_.forecasts) most = std::max(most, forecast.users);
        if (most <= max_measured()) return;
        for (std::size_t e = 0; e < model_.limits().size(); ++e) {
            const ResolvedLimits& limits = model_.limits()[e];
            const ServerEvidence& evidence = model_.evidence()[e];
            const std::string& name = recording_.names.models[e];
            if (!limits.unknown.empty()) out_.warnings.push_back(fmt::format("{}: unknown: {}", name, fmt::join(limits.unknown, ", ")));
            const double places = std::ceil(evidence.peak_sequences / limits.replicas);
            if (limits.places_known() && places < limits.places_low)
                out_.warnings.push_back(fmt::format(
                    "{}: max_num_seqs {:.0f} was never reached (at most {:.0f} calls a replica at once); the forecast relies on it", name,
                    limits.places_low, places));
            const double tokens = evidence.peak_tokens / limits.replicas;
            if (limits.memory_known() && tokens < 0.9 * limits.memory_low)
                out_.warnings.push_back(fmt::format("{}: kv_tokens {:.0f} was never reached (at most {:.0f}); the forecast relies on it",
                                                    name, limits.memory_low, tokens));
        }
        for (std::size_t t = 0; t < model_.tools().size(); ++t) {
            const ToolPoolFit& pool = model_.tools()[t];
            if (pool.uses > 0 && pool.sizes.front().servers == 0)
                out_.warnings.push_back(fmt::format("tool {}: no bound seen with up to {} uses at once; none is assumed beyond",
                                                    recording_.names.tools[t], pool.peak));
        }
    }

    const Recording& recording_;
    const FittedModel& model_;
    const ForecastRequest& request_;
    Player player_;
    ForecastResult out_;
    bool saturated_ = false;
};

Result<void> check_request(const Recording& recording, const ForecastRequest& request) {
    const auto wrong = [](std::string text) { return fail(ErrorCode::invalid_argument, std::move(text)); };
    constexpr int kMostUsers = 100'000'000;
    if (recording.levels.empty()) return wrong("no measured level");
    if (request.users.empty() && !request.rate) return wrong("no users to forecast for");
    for (const int users : request.users)
        if (users < 1 || users > kMostUsers) return wrong(fmt::format("users must be 1 to {}", kMostUsers));
    if (request.rate && !(*request.rate > 0)) return wrong("the rate must be above 0");
    if (request.think_time && !(*request.think_time >= 0)) return wrong("the think time must not be negative");
    if (request.replicas && *request.replicas < 1) return wrong("replicas must be at least 1");
    if (!(request.step_scale > 0)) return wrong("the step scale must be above 0");
    if (!(request.cache_hit_rate >= 0 && request.cache_hit_rate < 1)) return wrong("the cache hit rate must be at least 0 and below 1");
    if (request.draws < 1) return wrong("at least one draw is needed");
    return {};
}

// Fits without the highest level, predicts its p95, and lets that weigh the forms of `model`.
Result<std::optional<HoldOut>> hold_out(const Recording& recording, const ForecastRequest& request, FittedModel& model) {
    if (!request.hold_out || recording.levels.size() < 3) return std::nullopt;
    const Recording lower = without_highest(recording);
    auto lower_model = FittedModel::fit(lower, request.limits, request.seed);
    if (!lower_model) return fail(lower_model.error());
    PLIMSOLL_TRY(model.weigh_by_held_out(*lower_model, request.seed));
    ForecastRequest plain;
    plain.seed = request.seed;
    HoldOut out;
    out.concurrency = recording.max_concurrency();
    auto predicted = Forecaster(lower, *lower_model, plain).predict_p95(out.concurrency);
    if (!predicted) return fail(predicted.error());
    out.predicted = *predicted;
    out.measured = recording.levels.back().p95();
    return out;
}

}  // namespace

Result<ForecastResult> make_forecast(const Recording& recording, const ForecastRequest& request) {
    PLIMSOLL_TRY(check_request(recording, request));
    if (recording.levels.size() < 2) {
        ForecastResult refusal;
        refusal.refused = fmt::format("only concurrency {} was measured: one level shows no effect of load", recording.max_concurrency());
        refusal.next_concurrency = 2 * recording.max_concurrency();
        refusal.warnings = recording.warnings;
        return refusal;
    }
    auto model = FittedModel::fit(recording, request.limits, request.seed);
    if (!model) return fail(model.error());
    const auto held_out = hold_out(recording, request, *model);
    if (!held_out) return fail(held_out.error());
    return Forecaster(recording, *model, request).run(*held_out);
}

}  // namespace plimsoll::forecast
