// The forecast: how an agent that was measured at a few concurrencies behaves with many users, with an interval, the bottleneck,
// how many replicas a target needs, and what should be measured next. Refuses where nothing supports an answer.
//
//   auto recording = make_recording(levels);
//   auto answer = make_forecast(*recording, {.users = {64, 100, 200}, .limits = limits});
//
// Pure computation on one thread; the same input and seed give the same answer.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "forecast/fitted_model.h"
#include "forecast/limits.h"
#include "forecast/recording.h"
#include "forecast/uncertainty.h"

namespace plimsoll::forecast {

struct Slo {
    enum class Metric : std::uint8_t { workflow, llm };
    Metric metric = Metric::workflow;
    double seconds = 0;  // of the 95th percentile
};
// An SLO rule (slo_rule.h) about the p95 of workflow or llm, the figures that are forecast. Errors: invalid_argument.
Result<Slo> parse_slo(std::string_view text);

// What if a model ran on another machine: its law and limits instead of those that were measured.
struct OtherMachine {
    std::string name;  // for messages
    StepLaw law;
    ReplicaLimits limits;
};

struct ForecastRequest {
    std::vector<int> users;
    std::optional<double> rate;  // sessions a second that arrive by themselves; `users` is not used then
    std::optional<Slo> slo;
    Limits limits;
    std::optional<double> think_time;              // seconds between two sessions of a user; as measured when not given
    std::optional<int> replicas;                   // what if every endpoint had so many
    double step_scale = 1;                         // what if a step took so many times as long (0.5: a machine twice as fast)
    std::map<std::string, OtherMachine> machines;  // by model name
    double cache_hit_rate = 0;                     // what if this share of each prompt were cached
    bool sweep_replicas = false;                   // say what each number of replicas can promise the most users (not with a rate)
    bool hold_out = true;                          // refit without the highest level and predict it
    int draws = 100;                               // of the bootstrap
    std::uint64_t seed = 1;
};

// The value and its interval take stated limits as true. Where the load goes beyond what was measured of them, nothing measured
// tells a true limit from a wrong one: this says how bad it gets when they are just where the measurement has been.
struct UntestedLimits {
    std::vector<std::string> names;
    double high = 0;  // p95 of a session, seconds; infinity when open arrivals then exceed the capacity
};

struct UsersForecast {
    int users = 0;
    ForecastInterval workflow_p95, llm_p95;  // seconds; infinite where open arrivals exceed the capacity
    double workflow_mean = 0;                // seconds
    double sessions_per_second = 0;
    std::optional<double> meets_slo;                  // probability
    std::optional<int> replicas_needed;               // of each endpoint, for the upper bound of p95 to meet the target
    std::optional<int> replicas_expected;             // for its value to meet it: an even chance
    std::optional<std::int64_t> gpus_needed;          // for them, where the limits say what one takes
    std::string replicas_reason;                      // why there is none
    std::optional<UntestedLimits> if_limit_is_wrong;  // only where it moves p95 by more than 10 %
    bool supported = true;                            // false: the interval is open upwards, see ForecastResult::refused
};

struct HoldOut {
    int concurrency = 0;
    double predicted = 0, measured = 0;  // p95 of the workflow, seconds
    FullStep step;
    double error() const { return predicted / measured - 1; }
};

// What each number of replicas can promise to so many users; see sweep_replicas().
struct ReplicaPromise {
    int replicas = 0;  // of each endpoint
    double p95 = 0;    // upper bound, seconds
};
struct ReplicaSweep {
    int users = 0;
    std::vector<ReplicaPromise> promises;
};

struct FormAnswer {
    LawForm form = LawForm::linear;
    double weight = 0;
    double mismatch = 0;      // on the measured levels
    std::vector<double> p95;  // by users, seconds
};

struct ForecastResult {
    std::vector<UsersForecast> forecasts;
    std::string bottleneck;
    int knee_users = 0;
    double capacity = 0;  // sessions a second that the network can carry at most
    std::optional<HoldOut> held_out;
    std::optional<int> next_concurrency;
    std::optional<ReplicaSweep> replica_sweep;
    std::map<int, double> nat_linear;  // users -> seconds; empty when NAT gives no answer
    std::vector<FormAnswer> forms;
    std::vector<LevelCheck> checks;  // of the form with the most weight
    std::vector<std::string> warnings;
    std::optional<std::string> refused;
    std::optional<double> rate;
};

// Says at which number of users the step laws part when one that has some weight lies far from the answer, with each law's p95;
// nothing where they agree.
std::optional<std::string> warn_of_forms(const ForecastResult& result);

// A refusal is a result with `refused` set. Errors: invalid_argument (no users, no levels, values out of range, too few
// calls), limit.
Result<ForecastResult> make_forecast(const Recording& recording, const ForecastRequest& request);

}  // namespace plimsoll::forecast
