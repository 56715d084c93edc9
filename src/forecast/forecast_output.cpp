#include "forecast/forecast_output.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace plimsoll::forecast {
namespace {

// Milliseconds are below what any of this can know; more digits would only look exact. null where there is no end.
json::value rounded(double value) { return std::isfinite(value) ? json::value(std::round(value * 1000) / 1000) : json::value(nullptr); }

json::object to_json(const ForecastInterval& interval) {
    return {{"value", rounded(interval.value)}, {"low", rounded(interval.low)}, {"high", rounded(interval.high)}};
}

template <class T>
json::value or_null(const std::optional<T>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::object to_json(const UsersForecast& forecast) {
    json::object out{{"users", forecast.users},
                     {"workflow_p95", to_json(forecast.workflow_p95)},
                     {"llm_p95", to_json(forecast.llm_p95)},
                     {"workflow_mean", rounded(forecast.workflow_mean)},
                     {"sessions_per_second", forecast.sessions_per_second},
                     {"meets_slo", or_null(forecast.meets_slo)},
                     {"replicas_needed", or_null(forecast.replicas_needed)},
                     {"replicas_expected", or_null(forecast.replicas_expected)},
                     {"gpus_needed", or_null(forecast.gpus_needed)},
                     {"supported", forecast.supported}};
    if (const auto& wrong = forecast.if_limit_is_wrong)
        out["if_limit_is_wrong"] =
            json::object{{"high", rounded(wrong->high)}, {"limits", json::array(wrong->names.begin(), wrong->names.end())}};
    if (!forecast.replicas_reason.empty()) out["replicas_reason"] = forecast.replicas_reason;
    return out;
}

std::string format_interval(const ForecastInterval& interval) {
    if (!std::isfinite(interval.value)) return fmt::format("{:<31}", "    without end");
    return fmt::format("{:>9.4g} {:>9.4g} … {:<9.4g}", interval.value, interval.low, interval.high);
}

std::string replicas_text(const UsersForecast& forecast) {
    const auto shown = [](const std::optional<int>& count) { return count ? std::to_string(*count) : std::string("-"); };
    if (!forecast.replicas_needed && !forecast.replicas_expected) return "-";
    return fmt::format("{} ({})", shown(forecast.replicas_needed), shown(forecast.replicas_expected));
}

// Limits that only some of the targets go beyond are named with the others: the advice is the same.
std::string reliance_text(const ForecastResult& result) {
    std::vector<std::string> limits, highs;
    for (const UsersForecast& forecast : result.forecasts) {
        const auto& wrong = forecast.if_limit_is_wrong;
        if (!wrong) continue;
        for (const std::string& name : wrong->names)
            if (std::ranges::find(limits, name) == limits.end()) limits.push_back(name);
        highs.push_back(std::isfinite(wrong->high) ? fmt::format("{:.4g} s at {} users", wrong->high, forecast.users)
                                                   : fmt::format("without bound at {} users", forecast.users));
    }
    if (limits.empty()) return "";
    std::string out =
        fmt::format("RELIES ON LIMITS THAT WERE NOT REACHED: {}. If they are no higher than what was measured, p95 is up to {}.",
                    fmt::join(limits, ", "), fmt::join(highs, ", "));
    if (result.next_concurrency) out += fmt::format(" Concurrency {} would tell.", *result.next_concurrency);
    return out + "\n";
}

}  // namespace

json::object to_json(const ForecastResult& result) {
    json::object out;
    if (result.refused) out["refused"] = *result.refused;
    json::array forecasts;
    for (const UsersForecast& forecast : result.forecasts) forecasts.push_back(to_json(forecast));
    out["forecasts"] = std::move(forecasts);
    out["bottleneck"] = result.bottleneck;
    out["knee_users"] = result.knee_users;
    out["capacity_sessions_per_second"] = result.capacity;
    if (result.rate) out["rate"] = *result.rate;
    out["holdout"] = nullptr;
    if (const auto& held = result.held_out)
        out["holdout"] = json::object{{"concurrency", held->concurrency},
                                      {"error", held->error()},
                                      {"predicted", rounded(held->predicted)},
                                      {"measured", rounded(held->measured)}};
    out["next_concurrency"] = or_null(result.next_concurrency);
    if (const auto& sweep = result.replica_sweep) {
        json::array points;
        for (const ReplicaPromise& promise : sweep->promises)
            points.push_back(json::object{{"replicas", promise.replicas}, {"p95_high", rounded(promise.p95)}});
        out["replica_sweep"] = json::object{{"users", sweep->users}, {"points", std::move(points)}};
    }
    json::object linear;
    for (const auto& [users, seconds] : result.nat_linear) linear[std::to_string(users)] = rounded(seconds);
    out["nat_linear"] = std::move(linear);
    json::array forms;
    for (const FormAnswer& form : result.forms) {
        json::array p95;
        for (const double value : form.p95) p95.push_back(rounded(value));
        forms.push_back(json::object{
            {"law", to_string(form.form)}, {"weight", form.weight}, {"mismatch", form.mismatch}, {"workflow_p95", std::move(p95)}});
    }
    out["laws"] = std::move(forms);
    out["warnings"] = json::array(result.warnings.begin(), result.warnings.end());
    return out;
}

json::object to_json(const ForecastResult& result, const Recording& recording, const ForecastRequest& request) {
    json::object out = to_json(result);
    json::array levels;
    for (const Level& level : recording.levels) {
        json::object entry{
            {"concurrency", level.concurrency}, {"measured_p95", rounded(level.p95())}, {"sessions", level.lengths().size()}};
        for (const LevelCheck& check : result.checks)
            if (check.concurrency == level.concurrency) {
                entry["mean_error"] = std::expm1(check.mean_error);
                entry["p95_error"] = std::expm1(check.p95_error);
            }
        levels.push_back(std::move(entry));
    }
    out["measured_levels"] = std::move(levels);
    if (request.slo)
        out["slo"] =
            json::object{{"metric", request.slo->metric == Slo::Metric::llm ? "llm" : "workflow"}, {"seconds", request.slo->seconds}};
    return out;
}

std::string answer_text(const ForecastResult& result) {
    std::string out;
    if (result.refused) out += "No forecast: " + *result.refused + ".\n";
    if (!result.forecasts.empty()) {
        const bool has_gpus = std::ranges::any_of(result.forecasts, [](const auto& one) { return one.gpus_needed.has_value(); });
        out += fmt::format("{:>10}  {:<31}  {:<31}  {:>9}  {:>10}  {}{:>8}\n", "users", " p95 workflow (s), 90 % interval",
                           "p95 llm call (s), 90 % interval", "meets SLO", "replicas*", has_gpus ? "    GPUs  " : "", "NAT line");
        for (const UsersForecast& forecast : result.forecasts) {
            const auto line = result.nat_linear.find(forecast.users);
            out += fmt::format("{:>10}  {}  {}  {:>9}  {:>10}  {}{:>8}{}\n", forecast.users, format_interval(forecast.workflow_p95),
                               format_interval(forecast.llm_p95),
                               forecast.meets_slo ? fmt::format("{:.0f} %", 100 * *forecast.meets_slo) : "-", replicas_text(forecast),
                               has_gpus ? fmt::format("{:>8}  ", forecast.gpus_needed ? std::to_string(*forecast.gpus_needed) : "-") : "",
                               line == result.nat_linear.end() ? "-" : fmt::format("{:.4g}", line->second),
                               forecast.supported ? "" : "  not supported");
        }
        if (std::ranges::any_of(result.forecasts, [](const auto& one) { return one.replicas_needed || one.replicas_expected; }))
            out += "* for the upper end of the interval to meet the SLO; in brackets: for its value, an even chance.\n";
        for (const UsersForecast& forecast : result.forecasts)
            if (!forecast.replicas_reason.empty()) out += fmt::format("{} users: {}.\n", forecast.users, forecast.replicas_reason);
        out += reliance_text(result);
        out += fmt::format("\nBottleneck: {}. Knee at {} users ({:.3g} sessions a second at most).\n", result.bottleneck, result.knee_users,
                           result.capacity);
    }
    return out;
}

std::string forecast_text(const ForecastResult& result) {
    std::string out = answer_text(result);
    if (const auto& held = result.held_out)
        out += fmt::format("Held out: without concurrency {} its p95 is predicted as {:.4g} s, measured {:.4g} s ({:+.1f} %).\n",
                           held->concurrency, held->predicted, held->measured, 100 * held->error());
    for (const FormAnswer& form : result.forms) {
        std::string values;
        for (const double value : form.p95) values += fmt::format(" {:.4g}", value);
        out += fmt::format("Step law {}: weight {:.2f}, {:.1f} % off on the measured levels; p95{} s.\n", to_string(form.form), form.weight,
                           100 * form.mismatch, values);
    }
    if (result.next_concurrency) out += fmt::format("Measure concurrency {} next: it tells most.\n", *result.next_concurrency);
    for (const std::string& warning : result.warnings) out += "Note: " + warning + ".\n";
    return out;
}

}  // namespace plimsoll::forecast
