#include "forecast/forecast.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "forecast/capacity.h"
#include "forecast/gpu_estimate.h"
#include "forecast/linear_fit.h"
#include "forecast/player.h"
#include "forecast/reliance.h"
#include "forecast/replica_search.h"

namespace plimsoll::forecast {
namespace {

// Unknown limits that move p95 by more than this leave no answer worth giving.
constexpr double kMaxUnknownSpread = 1.25;
// A played measurement this far from the real one means that the model misses something.
constexpr double kPoorMatch = 0.06, kNoMatch = 0.15;
// Sessions of the held-out level played so much too fast: something slows them down that neither the lower levels nor the
// stated limits show, and it will slow them down more.
constexpr double kHiddenLimit = 0.10;
// Half of the error that must not pass in silence: a limit that moves p95 by more is worth a word.
constexpr double kMaterialLimit = 1.1;

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
        auto capacity = find_capacity(model_, player_, LimitGuess::best, request_.seed);
        if (!capacity) return fail(capacity.error());
        capacity_ = std::move(*capacity);
        out_.capacity = capacity_.sessions_per_second;
        out_.knee_users = capacity_.knee_users;
        out_.bottleneck = capacity_.bottleneck;
        if (request_.rate) {
            PLIMSOLL_TRY(add_target({0, request_.rate, 0}));
        } else {
            for (const int users : request_.users) PLIMSOLL_TRY(add_target({users, std::nullopt, 0}));
            if (request_.sweep_replicas) PLIMSOLL_TRY(add_sweep(most_users()));
        }
        add_nat_linear();
        choose_next();
        judge_held_out();
        if (auto parted = warn_of_forms(out_)) out_.warnings.push_back(std::move(*parted));
        warn_of_machines();
        if (most_users() > max_measured()) std::ranges::move(warn_of_limits(model_), std::back_inserter(out_.warnings));
        return std::move(out_);
    }

  private:
    int max_measured() const { return recording_.max_concurrency(); }

    void refuse(const std::string& reason) {
        if (!out_.refused) out_.refused = reason;
    }

    void add_forms() {
        for (const FormFit& form : model_.forms()) out_.forms.push_back({form.form, form.weight, form.mismatch(), {}});
        out_.checks = model_.heaviest_form().checks;
    }

    void judge_match() {
        const int top = max_measured();
        double error = 0, held_out = 0;
        for (const FormFit& form : model_.forms()) {
            error += form.weight * form.checks.back().mean_error;
            held_out += form.weight * form.held_out_rest;
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

    // Far off without the highest level, yet near with it: a limit that only that level reached, or batches whose speed it alone shows.
    void judge_held_out() {
        constexpr double kFarOff = 0.2;
        if (!out_.held_out || std::abs(out_.held_out->error()) <= kFarOff || out_.refused) return;
        const FullStep& step = out_.held_out->step;
        const std::string cause =
            step.explains(out_.held_out->error())
                ? fmt::format("a step of {} with {} sequences takes {:.3g} ms, where the lower levels foretell {:.3g} ms", step.endpoint,
                              step.sequences, 1e3 * step.fitted, 1e3 * step.predicted)
                : "what makes it so does not show below";
        out_.warnings.push_back(
            fmt::format("without concurrency {} its p95 is predicted {:+.0f} % off: {}; with it, the model plays that level's p95 "
                        "{:+.0f} % off",
                        out_.held_out->concurrency, 100 * out_.held_out->error(), cause, 100 * std::expm1(out_.checks.back().p95_error)));
    }

    void warn_of_machines() {
        for (const auto& [model, machine] : request_.machines)
            out_.warnings.push_back(
                fmt::format("{}: step law and limits of {} take the place of the measured ones; nothing measured says how "
                            "far they are off",
                            model, machine.name));
    }

    // Users a replica, as a multiple of the highest measured.
    double distance(int users) const {
        const double measured = static_cast<double>(max_measured()) / model_.limits().front().replicas;
        return static_cast<double>(users) / replicas() / measured;
    }

    int replicas() const { return request_.replicas.value_or(model_.limits().front().replicas); }

    // Open arrivals beyond what the network carries have no p95: nothing is played for them.
    void add_overload(double rate) {
        constexpr double kNever = std::numeric_limits<double>::infinity();
        refuse(fmt::format("{:g} sessions a second are more than the network carries ({:.3g}); queues grow without end", rate,
                           capacity_.sessions_per_second));
        UsersForecast forecast;
        forecast.workflow_p95 = forecast.llm_p95 = {kNever, kNever, kNever};
        forecast.workflow_mean = kNever;
        forecast.sessions_per_second = capacity_.sessions_per_second;
        if (request_.slo) forecast.meets_slo = 0;
        out_.forecasts.push_back(std::move(forecast));
    }

    Result<void> add_target(const Target& target) {
        if (target.rate && capacity_.saturated && *target.rate > capacity_.sessions_per_second) {
            add_overload(*target.rate);
            return {};
        }
        const std::size_t sessions = sessions_for(std::max(target.users, 64), true);
        auto by_form = player_.play_forms(target, sessions, LimitGuess::best);
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
        const double sd = discrepancy(model_, std::max(1, forecast.users), replicas());
        const Spread workflow = spread_draws(best.p95, p95, sd, request_.seed);
        const Spread calls = spread_draws(best.call_p95, call_p95, sd, request_.seed + 1);
        forecast.workflow_p95 = workflow.interval;
        forecast.llm_p95 = calls.interval;
        forecast.workflow_mean = best.mean;
        forecast.sessions_per_second = best.sessions_per_second;
        if (overloaded) {
            add_overload(*target.rate);
            return {};
        }
        if (distance(forecast.users) > 1) {
            PLIMSOLL_TRY(check_unknown_limits(target, best, forecast));
            PLIMSOLL_TRY(check_untested_limits(target, best, forecast));
        }
        if (request_.slo) {
            forecast.meets_slo = (request_.slo->metric == Slo::Metric::llm ? calls : workflow).share_up_to(request_.slo->seconds);
            auto needed = find_replicas(model_, player_, request_, target, forecast.users);
            if (!needed) return fail(needed.error());
            forecast.replicas_needed = needed->replicas;
            forecast.replicas_expected = needed->expected;
            if (needed->replicas) forecast.gpus_needed = gpus_of_replicas(*needed->replicas, recording_.names.models, request_.limits);
            forecast.replicas_reason = std::move(needed->reason);
        }
        out_.forecasts.push_back(std::move(forecast));
        return {};
    }

    Result<void> check_unknown_limits(const Target& target, const Played& best, UsersForecast& forecast) {
        const std::vector<std::string> unknown = unknown_limits(model_);
        if (unknown.empty()) return {};
        const auto worst = p95_under(model_, player_, target, LimitGuess::lowest_unknown, request_.seed);
        if (!worst) return fail(worst.error());
        if (std::isfinite(*worst)) forecast.workflow_p95.high = std::max(forecast.workflow_p95.high, *worst);
        if (*worst <= kMaxUnknownSpread * best.p95) return {};
        forecast.supported = false;
        refuse(fmt::format(
            "{} unknown: with {} users p95 is {:.0f} s without such a limit and {:.0f} s at the lowest one that fits the measurements",
            fmt::join(unknown, " and "), forecast.users, best.p95, *worst));
        return {};
    }

    Result<void> check_untested_limits(const Target& target, const Played& best, UsersForecast& forecast) {
        std::vector<std::string> names = untested_limits(model_, best);
        if (names.empty()) return {};
        const auto worst = p95_under(model_, player_, target, LimitGuess::only_reached, request_.seed);
        if (!worst) return fail(worst.error());
        // What else is uncertain is so by the same share.
        const double high = *worst * forecast.workflow_p95.high / best.p95;
        if (*worst > kMaterialLimit * best.p95) forecast.if_limit_is_wrong = {std::move(names), high};
        return {};
    }

    Result<void> add_sweep(int users) {
        auto promises = sweep_replicas(model_, player_, request_, {users, std::nullopt, 0}, users);
        if (!promises) return fail(promises.error());
        out_.replica_sweep = {users, std::move(*promises)};
        return {};
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

    int most_users() const {
        int most = 0;
        for (const UsersForecast& forecast : out_.forecasts) most = std::max(most, forecast.users);
        return most;
    }

    void choose_next() {
        const int most = most_users();
        const int measured = max_measured();
        if (most <= measured && !out_.refused) return;
        constexpr double kPastKnee = 1.1;
        const int past_knee = static_cast<int>(std::ceil(kPastKnee * out_.knee_users));
        const int next = past_knee > measured ? std::min(past_knee, 4 * measured) : 2 * measured;
        out_.next_concurrency = std::max(measured + 1, std::min(next, std::max(most, measured + 1)));
    }

    const Recording& recording_;
    const FittedModel& model_;
    const ForecastRequest& request_;
    Player player_;
    ForecastResult out_;
    Capacity capacity_;
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
    for (const auto& [model, machine] : request.machines)
        if (std::ranges::find(recording.names.models, model) == recording.names.models.end())
            return wrong(fmt::format("no model is named \"{}\" (there are {})", model, fmt::join(recording.names.models, ", ")));
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
    const Level& level = recording.levels.back();
    const Player player(*lower_model, plain);
    const auto predicted = level.ran_out() ? player.measurement_p95(out.concurrency, level.sessions.size()) : player.p95(out.concurrency);
    if (!predicted) return fail(predicted.error());
    out.predicted = *predicted;
    out.measured = level.p95();
    out.step = model.heaviest_form().held_out_step;
    return out;
}

}  // namespace

std::optional<std::string> warn_of_forms(const ForecastResult& result) {
    // A law of less weight is refuted, and what lies nearer is within what the interval is for.
    constexpr double kSomeWeight = 0.03, kApart = 0.15;
    for (std::size_t i = 0; i < result.forecasts.size(); ++i) {
        const double answer = result.forecasts[i].workflow_p95.value;
        const auto parts = [&](const FormAnswer& form) {
            return form.weight >= kSomeWeight && i < form.p95.size() && std::abs(form.p95[i] / answer - 1) > kApart;
        };
        if (std::ranges::none_of(result.forms, parts)) continue;
        std::vector<std::string> said;
        for (const FormAnswer& form : result.forms)
            if (form.weight >= kSomeWeight)
                said.push_back(fmt::format("{} {:.4g} s (weight {:.2f})", to_string(form.form), form.p95[i], form.weight));
        return fmt::format("with {} users the step laws part: {}; the measured levels hardly tell them apart, a higher one would",
                           result.forecasts[i].users, fmt::join(said, ", "));
    }
    return std::nullopt;
}

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
